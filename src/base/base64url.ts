/**
 * Base64url without padding (RFC 4648 §5), where there is no `Buffer`. docs/protocol.md §1.
 * Readers accept the canonical form only: decode, encode again, compare.
 *
 * @module
 */

import type { Bytes } from "./bytes.ts"

export { encodeAscii as asciiBytes } from "./text.ts"

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** The methods of ES2026 (`toBase64`, `fromBase64`), where the engine has them. */
interface NativeBytes {
  toBase64?: (options: { alphabet: "base64url"; omitPadding: true }) => string
}
interface NativeBytesConstructor {
  fromBase64?: (text: string, options: { alphabet: "base64url" }) => Bytes
}

/** Bytes to base64url, without padding. */
export function encodeBase64url(bytes: Bytes): string {
  const native = (bytes as NativeBytes).toBase64?.({ alphabet: "base64url", omitPadding: true })
  if (native !== undefined) return native
  const codes = new Uint8Array(Math.ceil((bytes.length * 4) / 3))
  let length = 0
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let shift = 18; shift >= 0 && length < codes.length; shift -= 6) {
      codes[length++] = ALPHABET.charCodeAt((group >> shift) & 63)
    }
  }
  return new TextDecoder().decode(codes)
}

let values: Bytes | undefined

function decodeTable(): Bytes {
  const table = new Uint8Array(128).fill(255)
  for (let i = 0; i < 64; i++) table[ALPHABET.charCodeAt(i)] = i
  return table
}

function decodeGroups(text: string): Bytes | undefined {
  values ??= decodeTable()
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let group = 0
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const value = values[text.charCodeAt(i)] ?? 255
    if (value === 255) return undefined
    group = (group << 6) | value
    const bits = (i & 3) * 2
    if (bits > 0) bytes[length++] = group >> (6 - bits)
  }
  return bytes
}

function decodeNative(text: string): Bytes | undefined {
  try {
    return (Uint8Array as NativeBytesConstructor).fromBase64?.(text, { alphabet: "base64url" })
  } catch {
    return undefined
  }
}

/** Canonical base64url to bytes; undefined for anything else. */
export function decodeBase64url(text: string): Bytes | undefined {
  const bytes = "fromBase64" in Uint8Array ? decodeNative(text) : decodeGroups(text)
  // fromBase64 skips white space and takes padding, and unused bits may be set: only the round trip is proof.
  return bytes !== undefined && encodeBase64url(bytes) === text ? bytes : undefined
}
