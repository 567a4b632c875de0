/**
 * The keys of one body: HKDF-Expand with SHA-512 (RFC 5869 §2.3), 76 bytes of it. docs/protocol.md §10.
 * Runs once for each file, so it is noble's on every platform, and no backend needs SHA-512 for it.
 *
 * @module
 */

import { expand } from "@noble/hashes/hkdf.js"
import { sha512 } from "@noble/hashes/sha2.js"

import { type Bytes, concat } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import { assertBytes, IV_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import { COMMITMENT_BYTES, SALT_BYTES } from "./layout.ts"

const PURPOSE: Bytes = encodeAscii("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0")

/** What the chunks of one body are sealed under, and what says so. */
export interface BodyKeys {
  readonly key: Bytes
  readonly baseNonce: Bytes
  readonly commitment: Bytes
}

/**
 * Derives the keys of a body.
 *
 * @throws `RangeError` unless the input key has 32 bytes and the salt 24.
 */
export function deriveBodyKeys(inputKey: Bytes, salt: Bytes, context: Bytes): BodyKeys {
  assertBytes(inputKey, "inputKey", KEY_BYTES)
  assertBytes(salt, "salt", SALT_BYTES)
  const info = concat(PURPOSE, salt, context)
  // noble wants as many bytes as the hash has; HMAC fills a key up with zeros by itself, so these change nothing (RFC 2104 §2)
  const key = concat(inputKey, new Uint8Array(KEY_BYTES))
  const output = expand(sha512, key, info, KEY_BYTES + IV_BYTES + COMMITMENT_BYTES)
  return {
    key: output.slice(0, KEY_BYTES),
    baseNonce: output.slice(KEY_BYTES, KEY_BYTES + IV_BYTES),
    commitment: output.slice(KEY_BYTES + IV_BYTES),
  }
}
