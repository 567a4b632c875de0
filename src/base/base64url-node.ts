/**
 * Base64url without padding (RFC 4648 §5) over `Buffer`, which is 10 to 30 times a loop in script. docs/protocol.md §1.
 * The same two functions as base64url.ts; `package.json#imports` picks one.
 *
 * @module
 */

import { Buffer } from "node:buffer"

import type { Bytes } from "./bytes.ts"

/** Bytes to base64url, without padding. */
export function encodeBase64url(bytes: Bytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url")
}

/** Canonical base64url to bytes; undefined for anything else. */
export function decodeBase64url(text: string): Bytes | undefined {
  const bytes = Buffer.from(text, "base64url")
  // Buffer skips what it does not know and takes both alphabets: only the round trip is proof.
  return bytes.toString("base64url") === text ? bytes : undefined
}
