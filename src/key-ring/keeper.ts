/**
 * The interface between a ring and the ways to keep its private keys.
 *
 * @module
 */

import type { ModulusBits } from "../crypto/backend.ts"
import type { PrivateKey } from "../keys/key.ts"

/** A key that was made, and how it is kept. */
export interface MadeKey {
  readonly key: PrivateKey
  readonly text: string
}

/** One kind of protection, at work. */
export interface Keeper {
  /** Its name in the stored text. */
  readonly by: string
  make(modulusBits: ModulusBits): Promise<MadeKey>
  /** For an extractable key from outside; a service takes none. */
  keep(key: PrivateKey): Promise<string>
  recall(text: string, kid: string, extractable: boolean): Promise<PrivateKey>
  /** After a key has left the ring. */
  forget?(text: string): Promise<void>
}
