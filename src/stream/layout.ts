/**
 * The layout of a sealed file: sizes as pure functions, where the head ends, which nonce a chunk has. No cryptography.
 * docs/protocol.md §10; the body is Cobblestone-256 of https://c2sp.org/chunked-encryption.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import { TAG_BYTES } from "../crypto/sizes.ts"
import { MAX_HEAD_CHARACTERS } from "../envelope/stream.ts"

/** Plaintext of every chunk but the last, which is shorter, if only by being empty. */
export const CHUNK_BYTES = 16_384
/** A whole chunk, sealed. */
export const SEALED_CHUNK_BYTES: number = CHUNK_BYTES + TAG_BYTES
/** Fresh in every file. */
export const SALT_BYTES = 24
/** To the key: no body opens under two. */
export const COMMITMENT_BYTES = 32
/** `salt ‖ commitment` */
export const BODY_HEAD_BYTES: number = SALT_BYTES + COMMITMENT_BYTES

const LINE_FEED = 0x0a
const FIRST_LINE: Bytes = encodeAscii("sealwire/1 stream\n")
/** The longest head: both lines, each with its line feed. */
export const MAX_HEAD_BYTES: number = FIRST_LINE.length + MAX_HEAD_CHARACTERS + 1

/** `"sealwire/1 stream\n" ‖ envelope ‖ "\n"` */
export function serializeHead(envelope: string): Bytes {
  return concat(FIRST_LINE, encodeAscii(`${envelope}\n`))
}

/** Bytes of a head whose envelope has so many characters. */
export function headBytesOf(envelopeCharacters: number): number {
  return FIRST_LINE.length + envelopeCharacters + 1
}

/**
 * Where the head ends, its last line feed included.
 *
 * @param start - The first bytes of a file.
 * @param searched - How many of them are known to hold no end of the head.
 * @returns `undefined` when more bytes are needed; 0 when no more of them make a head.
 */
export function findHeadEnd(start: Bytes, searched = 0): number | undefined {
  for (let i = searched; i < Math.min(start.length, FIRST_LINE.length); i++) {
    if (start[i] !== FIRST_LINE[i]) return 0
  }
  const end = start.indexOf(LINE_FEED, Math.max(searched, FIRST_LINE.length)) + 1
  if (end > MAX_HEAD_BYTES || (end === 0 && start.length >= MAX_HEAD_BYTES)) return 0
  return end === 0 ? undefined : end
}

/** The envelope of a whole head. */
export function envelopeOf(head: Bytes): string {
  // any byte that is not of the envelope's alphabet stays one that is not
  return String.fromCharCode(...head.subarray(FIRST_LINE.length, -1))
}

/** Bytes of the body that so much plaintext has. */
export function sealedBodyBytes(plaintextBytes: number): number {
  const chunks = Math.floor(plaintextBytes / CHUNK_BYTES) + 1
  return BODY_HEAD_BYTES + plaintextBytes + chunks * TAG_BYTES
}

/** How much plaintext a body of that size has; undefined for a size that no body has. */
export function openedBodyBytes(bodyBytes: number): number | undefined {
  const sealed = bodyBytes - BODY_HEAD_BYTES
  if (sealed < TAG_BYTES) return undefined
  const whole = Math.floor(sealed / SEALED_CHUNK_BYTES)
  const last = sealed - whole * SEALED_CHUNK_BYTES - TAG_BYTES
  return last < 0 ? undefined : whole * CHUNK_BYTES + last
}

/** Where a chunk stands among the chunks of a body with so much plaintext: start and end, in bytes from the first. */
export function sealedChunkAt(index: number, plaintextBytes: number): [start: number, end: number] {
  const start = index * SEALED_CHUNK_BYTES
  return [start, Math.min(start + SEALED_CHUNK_BYTES, sealedBodyBytes(plaintextBytes) - BODY_HEAD_BYTES)]
}

/** The nonce of a chunk: the base nonce XOR its index, big-endian. */
export function nonceAt(baseNonce: Bytes, index: number): Bytes {
  const nonce = new Uint8Array(baseNonce)
  // division, because an index may have more than the 32 bits that shifts keep
  for (let i = nonce.length - 1, rest = index; rest > 0; i--, rest = Math.floor(rest / 256)) {
    nonce[i] = (nonce[i] ?? 0) ^ (rest % 256)
  }
  return nonce
}
