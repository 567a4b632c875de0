/**
 * The invisible salamander: one AES-GCM ciphertext, IV, tag and AAD that two keys accept. GHASH is linear, so for two keys
 * one free block of ciphertext makes their tags meet. (Dodis, Grubbs, Ristenpart, Woodage: "Fast Message Franking", 2018.)
 */

import { createCipheriv } from "node:crypto"

const BLOCK_BYTES = 16
/** x^128 + x^7 + x^2 + x + 1, in GCM's order of bits: the first is the highest. */
const REDUCTION = 0xe1n << 120n

const toField = (block: Uint8Array): bigint => BigInt(`0x${Buffer.from(block).toString("hex")}`)
const fromField = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(32, "0"), "hex")

/** Multiplication in GF(2^128), NIST SP 800-38D §6.3. */
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n
  let shifted = y
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= shifted
    shifted = shifted & 1n ? (shifted >> 1n) ^ REDUCTION : shifted >> 1n
  }
  return product
}

function power(base: bigint, exponent: number): bigint {
  let result = 1n << 127n // the field's one
  for (let i = 0; i < exponent; i++) result = multiply(result, base)
  return result
}

/** 1 / x, as x^(2^128 - 2). */
function invert(x: bigint): bigint {
  let result = 1n << 127n
  let square = x
  for (let i = 0; i < 127; i++) {
    square = multiply(square, square)
    result = multiply(result, square)
  }
  return result
}

const encryptBlock = (key: Uint8Array, block: Uint8Array): bigint =>
  toField(createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(block))

function blocksOf(bytes: Uint8Array): bigint[] {
  const padded = Buffer.concat([
    bytes,
    Buffer.alloc((BLOCK_BYTES - (bytes.length % BLOCK_BYTES)) % BLOCK_BYTES),
  ])
  return Array.from({ length: padded.length / BLOCK_BYTES }, (_, i) =>
    toField(padded.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)),
  )
}

/** NIST SP 800-38D §6.4. */
const ghash = (key: bigint, blocks: readonly bigint[]): bigint =>
  blocks.reduce((sum, block) => multiply(sum ^ block, key), 0n)

/** A ciphertext and its tag. */
export interface Salamander {
  readonly ciphertext: Buffer
  readonly tag: Buffer
}

/**
 * Solves one block so that both keys accept the ciphertext.
 *
 * @param ciphertext - Whole blocks.
 * @param free - Index of the block that may become anything.
 */
export function makeSalamander(
  keys: readonly [Uint8Array, Uint8Array],
  iv: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  free: number,
): Salamander {
  const lengths = Buffer.alloc(BLOCK_BYTES)
  lengths.writeBigUInt64BE(BigInt(aad.length * 8), 0)
  lengths.writeBigUInt64BE(BigInt(ciphertext.length * 8), 8)
  const blocks = blocksOf(ciphertext).with(free, 0n)
  const hashed = [...blocksOf(aad), ...blocks, toField(lengths)]
  const exponent = blocks.length - free + 1
  const sides = keys.map((key) => {
    const hashKey = encryptBlock(key, Buffer.alloc(BLOCK_BYTES))
    const mask = encryptBlock(key, Buffer.concat([iv, Buffer.of(0, 0, 0, 1)]))
    return { factor: power(hashKey, exponent), tag: ghash(hashKey, hashed) ^ mask }
  })
  const [one, two] = sides as [(typeof sides)[0], (typeof sides)[0]]
  const block = multiply(one.tag ^ two.tag, invert(one.factor ^ two.factor))
  const solved = Buffer.from(ciphertext)
  fromField(block).copy(solved, free * BLOCK_BYTES)
  return { ciphertext: solved, tag: fromField(one.tag ^ multiply(block, one.factor)) }
}
