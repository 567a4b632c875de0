/**
 * The interface between a ring and the ways to keep its private keys.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { ModulusBits } from "../crypto/backend.ts"
import type { PrivateKey } from "../keys/key.ts"

/** A key that was made, and how it is kept. */
export interface MadeKey {
  readonly key: PrivateKey
  readonly text: string
}

/** Derives a key once for each salt: a ring has one, and deriving may take long, or cost a call. */
export function onceForEachSalt(derive: (salt: Bytes) => Promise<Bytes>): (salt: Bytes) => Promise<Bytes> {
  const keys = new Map<string, Promise<Bytes>>()
  return (salt) => {
    const name = salt.join()
    const key = keys.get(name) ?? derive(salt)
    // another salt is another ring, or a store that somebody plays with: the last one is enough
    keys.clear()
    keys.set(name, key)
    key.catch(() => keys.delete(name))
    return key
  }
}

/** One kind of protection, at work. */
export interface Keeper {
  /** Its name in the stored text. */
  readonly by: string
  make(modulusBits: ModulusBits): Promise<MadeKey>
  /** For an extractable key from outside; a service takes none. */
  keep(key: PrivateKey): Promise<string>
  recall(text: string, kid: string, extractable: boolean): Promise<PrivateKey>
  /** The key of 32 bytes that makes the ring's text authentic; absent where there is no secret to make it of. */
  readonly macKey?: (salt: Bytes) => Promise<Bytes>
  /** After a key has left the ring. */
  forget?(text: string): Promise<void>
}
