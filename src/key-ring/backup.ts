/**
 * A backup of a ring: all of it, private keys included, as one text under a passphrase of its own. PBKDF2-HMAC-SHA-256 and
 * AES-256-GCM: unlike the form for single keys, it shows when it was changed.
 *
 * @module
 */

import { backend } from "#backend"
import { decodeBase64url, encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed } from "../base/bytes.ts"
import { decodeUtf8, describe, encodeAscii, label } from "../base/text.ts"
import { IV_BYTES, TAG_BYTES } from "../crypto/sizes.ts"
import { refuseKey } from "../keys/jwk.ts"
import { parseDocument, serializeRing } from "./document.ts"
import type { Keeper } from "./keeper.ts"
import { derivePassphraseKey } from "./passphrase-key.ts"
import { clearKeeper } from "./protection.ts"
import type { KeyRecord, RingState } from "./state.ts"

const SALT_BYTES = 16

/** `sealwire-ring-backup.1.<salt>.<iv>.<ciphertext and tag>`, in base64url. */
const BACKUP = /^sealwire-ring-backup\.1\.([\w-]{22})\.([\w-]{16})\.([\w-]+)\s*$/

const AAD = (): Bytes => concatPrefixed(label("ring backup"), [encodeAscii("1")])

/** The record with its key kept by another keeper. A key of a service stays there: its reference is all there is to keep. */
async function movedTo(record: KeyRecord, from: Keeper, to: Keeper): Promise<KeyRecord> {
  const { kid, kept } = record
  if (kept.by === "service") return record
  const key = await from.recall(kept.text, kid, true)
  if (key.kid !== kid) refuseKey(`key ${kid} of the ring is another one`)
  return { ...record, kept: { by: to.by, text: await to.keep(key) } }
}

/** Makes a backup of a ring whose keys `keeper` keeps. */
export async function sealBackup(
  state: RingState,
  keeper: Keeper,
  passphrase: string | Uint8Array,
): Promise<string> {
  const salt = backend.randomBytes(SALT_BYTES)
  const key = await derivePassphraseKey(passphrase, salt)
  const keys = await Promise.all(state.keys.map((record) => movedTo(record, keeper, clearKeeper)))
  const plaintext = encodeAscii(serializeRing({ ...state, keys }))
  const iv = backend.randomBytes(IV_BYTES)
  const { ciphertext, tag } = await backend.sealAesGcm(key, iv, AAD(), plaintext)
  plaintext.fill(0)
  const sealed = new Uint8Array([...ciphertext, ...tag])
  return `sealwire-ring-backup.1.${[salt, iv, sealed].map(encodeBase64url).join(".")}\n`
}

/** Opens a backup, and gives the ring with its keys kept by `keeper`. */
export async function openBackup(
  text: string,
  keeper: Keeper,
  passphrase: string | Uint8Array,
): Promise<RingState> {
  if (typeof text !== "string") throw new TypeError(`backup must be a string, not ${describe(text)}`)
  const parts = BACKUP.exec(text)?.slice(1).map(decodeBase64url) ?? []
  const [salt, iv, sealed] = parts
  if (!salt || !iv || !sealed || sealed.length < TAG_BYTES) return refuseKey("not a backup of a key ring")
  const key = await derivePassphraseKey(passphrase, salt)
  const parted = { ciphertext: sealed.slice(0, -TAG_BYTES), tag: sealed.slice(-TAG_BYTES) }
  let plaintext: Bytes
  try {
    plaintext = await backend.openAesGcm(key, iv, AAD(), parted)
  } catch {
    return refuseKey("wrong passphrase, or a damaged backup")
  }
  const { state } = parseDocument(decodeUtf8(plaintext) ?? "")
  plaintext.fill(0)
  const keys = await Promise.all(state.keys.map((record) => movedTo(record, clearKeeper, keeper)))
  return { ...state, keys }
}
