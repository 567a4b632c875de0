/**
 * Text as bytes: strict UTF-8, and the labels that keep one use of a hash or key apart from another. docs/protocol.md §1.
 *
 * @module
 */

import { type Bytes, concatPrefixed, isBytes, NOTHING } from "./bytes.ts"

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Wire labels (docs/protocol.md §1, `label(s)`). Changing one is a new protocol version; `pseudonym` is a policy's
 * (docs/guides/fields.md), and changing it orphans stored hashes; `ring …` are of stored key rings (docs/guides/keys.md), and
 * `operation record` is of stored operations (docs/guides/server.md).
 */
export type Label =
  | "context"
  | "digest"
  | "signature"
  | "nonce"
  | "reply"
  | "claim"
  | "session"
  | "message"
  | "each"
  | "channel"
  | "session record"
  | "operation record"
  | "stream"
  | "frames"
  | "rekey"
  | "pseudonym"
  | "ring key"
  | "ring backup"
  | "ring mac"
  | "ring mac key"

const labels: Partial<Record<Label, Bytes>> = {}

/** `label(s) = lp("sealwire/1 " ‖ s)`, encoded once. */
export function label(name: Label): Bytes {
  return (labels[name] ??= concatPrefixed(NOTHING, [encoder.encode(`sealwire/1 ${name}`)]))
}

/** Text that is known to be ASCII, such as a header segment. */
export function encodeAscii(text: string): Bytes {
  return encoder.encode(text)
}

/**
 * A caller's bytes or text, as bytes that the caller can no longer change.
 *
 * @throws `TypeError` when `value` is neither, or is text with a lone surrogate, which UTF-8 would silently replace.
 */
export function copyBytes(value: string | Uint8Array, name: string): Bytes {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError(`${name} has a lone surrogate, which UTF-8 cannot carry`)
    return encoder.encode(value)
  }
  if (!isBytes(value)) throw new TypeError(`${name} must be a string or a Uint8Array, not ${describe(value)}`)
  return new Uint8Array(value)
}

/** Bytes as text; undefined when they are not UTF-8. */
export function decodeUtf8(bytes: Bytes): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Names the kind of a value for an error message, never the value. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`
}
