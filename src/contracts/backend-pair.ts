/**
 * What the parts of the backend contract share.
 *
 * @module
 */

import type { Backend } from "../crypto/backend.ts"

/** What a backend may do without. */
export type BackendCapability = "privateRsa" | "der" | "cryptoKey"

/** A backend under test, and the one it is compared with. */
export interface BackendPair {
  readonly backend: Backend
  readonly reference: Backend
  /** What the backend must refuse with `ERR_UNSUPPORTED`. */
  readonly lacks: ReadonlySet<BackendCapability>
}

/** Runs `make` at the first call only: RSA keys take a while. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
