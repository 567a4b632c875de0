/**
 * Base64url without padding (RFC 4648 §5) over `Buffer`, which is 10 to 30 times a loop in script. docs/protocol.md §1.
 * The same functions as base64url.ts; `package.json#imports` picks one.
 *
 * @module
 */

import { Buffer } from "node:buffer"

import type { Bytes } from "./bytes.ts"

/**
 * Bytes that become text at a time; a multiple of 3, so that the pieces join. Strings much longer leave V8's young
 * generation, and making one of them costs more than its encoding.
 */
const PIECE_BYTES = 12_288
const PIECE_CHARACTERS: number = (PIECE_BYTES / 3) * 4

/** ASCII text, to be hashed or authenticated here and not handed on: short texts lie in one buffer, which is cheaper to make. */
export function asciiBytes(text: string): Bytes {
  return Buffer.from(text, "latin1")
}

/** Bytes to base64url, without padding. */
export function encodeBase64url(bytes: Bytes): string {
  const buffer =
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length <= PIECE_BYTES) return buffer.toString("base64url")
  let text = ""
  for (let start = 0; start < buffer.length; start += PIECE_BYTES) {
    text += buffer.toString("base64url", start, start + PIECE_BYTES)
  }
  return text
}

function isEncodingOf(text: string, buffer: Buffer): boolean {
  if (buffer.length <= PIECE_BYTES) return buffer.toString("base64url") === text
  if (text.length !== Math.ceil((buffer.length * 4) / 3)) return false
  for (let start = 0, at = 0; start < buffer.length; start += PIECE_BYTES, at += PIECE_CHARACTERS) {
    const piece = buffer.toString("base64url", start, start + PIECE_BYTES)
    if (piece !== text.slice(at, at + PIECE_CHARACTERS)) return false
  }
  return true
}

/** Canonical base64url to bytes; undefined for anything else. */
export function decodeBase64url(text: string): Bytes | undefined {
  const bytes = Buffer.from(text, "base64url")
  // Buffer skips what it does not know and takes both alphabets: only the round trip is proof.
  return isEncodingOf(text, bytes) ? bytes : undefined
}
