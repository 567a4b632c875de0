/**
 * RSAES-OAEP with SHA-256 (RFC 8017 §7.1.2, step 3) for tokens that have the bare RSA operation only, or OAEP with SHA-1: SoftHSM 2.6
 * is one. The private operation stays in the token; this undoes the padding. A content key is 32 bytes, so all places are
 * known beforehand, and one comparison decides: nothing depends on where a padding goes wrong.
 */
import { createHash, timingSafeEqual } from "node:crypto"

const HASH_BYTES = 32
const CONTENT_KEY_BYTES = 32

function xorMask(bytes: Uint8Array, seed: Uint8Array): Uint8Array {
  const counter = Buffer.alloc(4)
  const masked = Uint8Array.from(bytes)
  for (let at = 0; at < masked.length; at += HASH_BYTES) {
    counter.writeUInt32BE(at / HASH_BYTES)
    const block = createHash("sha256").update(seed).update(counter).digest()
    for (const [i, byte] of block.entries())
      if (at + i < masked.length) masked[at + i] = (masked[at + i] ?? 0) ^ byte
  }
  return masked
}

/** The content key in what the bare RSA operation gave: as many bytes as the modulus has. */
export function removeOaep(encoded: Uint8Array): Uint8Array {
  const maskedSeed = encoded.subarray(1, 1 + HASH_BYTES)
  const maskedBlock = encoded.subarray(1 + HASH_BYTES)
  const seed = xorMask(maskedSeed, maskedBlock)
  const block = xorMask(maskedBlock, seed)
  const head = Buffer.concat([encoded.subarray(0, 1), block.subarray(0, -CONTENT_KEY_BYTES)])
  const expected = Buffer.alloc(head.length)
  expected.set(createHash("sha256").digest(), 1)
  expected[head.length - 1] = 1
  if (!timingSafeEqual(head, expected)) throw new Error("decryption error")
  return block.slice(-CONTENT_KEY_BYTES)
}
