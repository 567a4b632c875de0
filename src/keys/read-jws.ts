/**
 * Reading a compact JWS (RFC 7515 §7.1): three segments, canonical base64url, a signature of 64 bytes. What its header must say is
 * decided by whoever reads it: envelope/signer.ts (docs/protocol.md §3.3) and statement.ts (§6, §7).
 *
 * @module
 */

import { decodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import { materialOf, type VerifyingKey } from "./key.ts"

/** A JWS taken apart; nothing about it is verified. */
export interface Jws {
  readonly header: string
  readonly payload: Bytes
  /** What the signature is over: the first two segments, ASCII. */
  readonly signed: Bytes
  readonly signature: Bytes
}

const COMPACT = /^([\w-]{1,1024})\.([\w-]+)\.([\w-]{86})$/

/** Takes a compact JWS apart; undefined for anything else. */
export function parseJws(text: string): Jws | undefined {
  const [, header = "", payload = "", value = ""] = COMPACT.exec(text) ?? []
  const headerBytes = decodeBase64url(header)
  const payloadBytes = decodeBase64url(payload)
  const signature = decodeBase64url(value)
  const headerText = headerBytes && decodeUtf8(headerBytes)
  if (!headerText || !payloadBytes || !signature) return undefined
  return { header: headerText, payload: payloadBytes, signed: encodeAscii(`${header}.${payload}`), signature }
}

/** Whether `key` made the signature. A platform may also throw, for a signature or a key that cannot be. */
export async function isSignedBy(key: VerifyingKey, { signature, signed }: Jws): Promise<boolean> {
  const { handle } = materialOf(key, "verifying", "key")
  try {
    return await handle.verify(signature, signed)
  } catch {
    return false
  }
}
