/**
 * An API key as text: `prefix_id_secret`. The id is public and names the record; the secret has 160 bits, so a plain hash
 * of the key gives nothing to guess from.
 *
 * @module
 */

import { backend } from "#backend"
import { encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"

/** 32 characters, 5 bits each. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
const ID_CHARACTERS = 16
const SECRET_CHARACTERS = 32
const KEY = /^([a-z][a-z\d]{0,15})_([a-z2-7]{16})_[a-z2-7]{32}$/
const ID = /^[a-z2-7]{16}$/
const PREFIX = /^[a-z][a-z\d]{0,15}$/
const LONGEST_KEY = 16 + ID_CHARACTERS + SECRET_CHARACTERS + 2

const randomText = (length: number): string =>
  // 256 is a multiple of 32: each character is equally likely
  Array.from(backend.randomBytes(length), (byte) => ALPHABET.charAt(byte & 31)).join("")

/** A new key and its id. */
export function generateKey(prefix: string): { readonly id: string; readonly key: string } {
  const id = randomText(ID_CHARACTERS)
  return { id, key: `${prefix}_${id}_${randomText(SECRET_CHARACTERS)}` }
}

/** The id in a key of that prefix; undefined for anything that is none. */
export function idOfKey(text: string, prefix: string): string | undefined {
  if (text.length > LONGEST_KEY) return undefined
  const [, itsPrefix, id] = KEY.exec(text) ?? []
  return itsPrefix === prefix ? id : undefined
}

/** Whether a text can stand before the first underscore. */
export const isPrefix = (text: unknown): boolean => typeof text === "string" && PREFIX.test(text)

/** Whether a text is the id of a key. */
export const isId = (text: unknown): boolean => typeof text === "string" && ID.test(text)

/** What is kept of a key: its SHA-256, or its HMAC-SHA-256 under a pepper. It covers the id, so no two records can be swapped. */
export async function hashOf(key: string, pepper: Bytes | undefined): Promise<string> {
  const bytes = encodeAscii(key)
  return encodeBase64url(await (pepper ? backend.hmacSha256(pepper, bytes) : backend.sha256(bytes)))
}
