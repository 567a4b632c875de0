/**
 * Looks for an RSA private key in a process's memory, knowing the public one only: a prime factor is whatever divides the modulus.
 * Afterwards the factors are known, and every form of the key can be counted.
 *
 * @module
 */

import { findBytes, type MemoryImage } from "./process-memory.ts"

/** The secret numbers of an RSA key. */
export interface StolenRsa {
  readonly p: bigint
  readonly q: bigint
  readonly d: bigint
}

const WORD_BYTES = 8
const EXPONENT = 65537n
/** Of 128 random bytes about 100 differ; text, pointers and tables have fewer. */
const FEWEST_DIFFERENT = 72
/** A prime is odd, and at least √2 · 2^1023 where it has 1024 bits (FIPS 186-5, A.1.1). */
const LEAST_HIGHEST_BYTE = 0xb5

const toBigint = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

function bytesOf(number: bigint, length: number): Buffer {
  return Buffer.from(number.toString(16).padStart(length * 2, "0"), "hex")
}

/** The inverse of e modulo m. */
function inverse(e: bigint, m: bigint): bigint {
  let [a, b, x, y] = [e, m, 1n, 0n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % m) + m) % m
}

function looksRandom(bytes: Uint8Array): boolean {
  return new Set(bytes).size >= FEWEST_DIFFERENT
}

/** A factor of a modulus, as OpenSSL keeps numbers: words of 8 bytes, the lowest first. Undefined where there is none. */
export function stealRsa(image: MemoryImage, modulus: Uint8Array): StolenRsa | undefined {
  const n = toBigint(modulus)
  const length = modulus.length / 2
  for (const { bytes } of image) {
    for (let at = 0; at + length <= bytes.length; at += WORD_BYTES) {
      if (((bytes[at] ?? 0) & 1) === 0 || (bytes[at + length - 1] ?? 0) < LEAST_HIGHEST_BYTE) continue
      const window = bytes.subarray(at, at + length)
      if (!looksRandom(window)) continue
      const p = toBigint(Buffer.from(window).reverse())
      if (n % p !== 0n) continue
      const q = n / p
      return { p, q, d: inverse(EXPONENT, (p - 1n) * (q - 1n)) }
    }
  }
  return undefined
}

/** How often the secret numbers stand in an image: as OpenSSL keeps them, as DER does, and as a JWK does. */
export function copiesOfRsa(image: MemoryImage, { p, q, d }: StolenRsa, modulusBytes: number): number {
  const numbers: [bigint, number][] = [
    [p, modulusBytes / 2],
    [q, modulusBytes / 2],
    [d % (p - 1n), modulusBytes / 2],
    [d % (q - 1n), modulusBytes / 2],
  ]
  const forms = numbers.flatMap(([number, length]) => {
    const bytes = bytesOf(number, length)
    return [bytes, Buffer.from(bytes).reverse(), Buffer.from(bytes.toString("base64url"))]
  })
  return forms.reduce((count, form) => count + findBytes(image, form).length, 0)
}
