/**
 * Writing a compact JWS (RFC 7515 §7.1), whatever its header and payload say.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import { materialOf, type SigningKey } from "./key.ts"

/** Signs `header` and `payload`. */
export async function signJws(key: SigningKey, header: string, payload: Bytes): Promise<string> {
  const { handle } = materialOf(key, "signing", "key")
  const signed = `${encodeBase64url(encodeAscii(header))}.${encodeBase64url(payload)}`
  return `${signed}.${encodeBase64url(await handle.sign(encodeAscii(signed)))}`
}
