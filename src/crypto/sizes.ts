/**
 * Sizes that the suite fixes (docs/protocol.md §1 to §3), in bytes. Protocol constants: changing one is a new version.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"

/** AES-256 keys, content keys and derived keys. */
export const KEY_BYTES = 32
/** AES-GCM initialization vectors. */
export const IV_BYTES = 12
/** AES-GCM tags. */
export const TAG_BYTES = 16
/** SHA-256 and HMAC-SHA-256. */
export const HASH_BYTES = 32
/** Ed25519 signatures, and P-256 ones as r ‖ s. */
export const SIGNATURE_BYTES = 64

/**
 * Checks a size that a platform may not check itself: `node:crypto` accepts tags of 4 bytes.
 *
 * @throws `RangeError`
 */
export function assertBytes(value: Bytes, name: string, length: number): void {
  if (value.length !== length) throw new RangeError(`${name} must be ${length} bytes, not ${value.length}`)
}

/** What `crypto.getRandomValues` gives at once; some runtimes have no such limit, and zero bytes are no secret. */
const MOST_RANDOM_BYTES = 65_536

/**
 * Checks a number of random bytes.
 *
 * @throws `RangeError`
 */
export function assertRandomLength(length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > MOST_RANDOM_BYTES) {
    throw new RangeError(`length must be a whole number from 1 to ${MOST_RANDOM_BYTES}, not ${length}`)
  }
}
