/**
 * Options of the functions that import and generate keys.
 *
 * @module
 */

import type { Backend } from "../crypto/backend.ts"

/** Options for public keys. */
export interface PublicKeyOptions {
  /** The cryptography that the key uses from then on. Default: the platform's. The other one: `noble` of `sealwire/noble`. */
  readonly backend?: Backend
}

/** Options for private keys. */
export interface PrivateKeyOptions extends PublicKeyOptions {
  /** Whether the key may be exported again. Default: false. */
  readonly extractable?: boolean
}

/** Names of {@link PublicKeyOptions}. */
export const PUBLIC_KEY_OPTIONS: readonly string[] = ["backend"]
/** Names of {@link PrivateKeyOptions}. */
export const PRIVATE_KEY_OPTIONS: readonly string[] = ["backend", "extractable"]
