/**
 * Records that a server keeps in a store outside of its process, which must not read them: AES-256-GCM under keys that the store does
 * not have, bound to the record's use and id. docs/protocol.md §6, last paragraph.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concat, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { encodeAscii, type Label, label } from "../base/text.ts"
import type { Backend } from "./backend.ts"
import { expand } from "./derive.ts"
import { IV_BYTES, KEY_BYTES, TAG_BYTES } from "./sizes.ts"

const NAME_BYTES = 8

/** What records are for: the label of their keys. */
export type RecordUse = Extract<Label, "session record" | "operation record">

/**
 * Checks and copies the option `recordKeys`.
 *
 * @param name - Of the option.
 * @param store - What the store is, in an error.
 * @throws `TypeError` or `RangeError` naming the option, unless there is at least one key, each of 32 bytes.
 */
export function readRecordKeys(
  keys: readonly Uint8Array[] | undefined,
  name: string,
  store: string,
): readonly Bytes[] {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new TypeError(`${name} must have a key of 32 random bytes: ${store}`)
  }
  const copies = (keys as readonly Uint8Array[]).map((key) => new Uint8Array(key))
  for (const { length } of copies) {
    if (length !== KEY_BYTES) throw new RangeError(`${name} must be keys of 32 bytes, not ${length}`)
  }
  return copies
}

/** `name(8) ‖ IV(12) ‖ C ‖ T`. Under the first key, read under any. */
export class RecordCipher {
  readonly #backend: Backend
  readonly #keys: readonly Bytes[]
  readonly #use: RecordUse

  constructor(backend: Backend, keys: readonly Bytes[], use: RecordUse) {
    this.#backend = backend
    this.#keys = keys
    this.#use = use
  }

  /** Encrypts a record. The plaintext stays the caller's, to wipe. */
  async seal(id: string, plaintext: Bytes): Promise<Bytes> {
    const key = this.#keys[0] ?? NOTHING
    const iv = this.#backend.randomBytes(IV_BYTES)
    const own = await this.#keyFor(key, id)
    const { ciphertext, tag } = await this.#backend.sealAesGcm(own, iv, this.#aadFor(id), plaintext)
    own.fill(0)
    return concat(await this.#nameOf(key), iv, ciphertext, tag)
  }

  /** Undefined for what no key of this server has made, or not for this id. */
  async open(id: string, content: Uint8Array): Promise<Bytes | undefined> {
    return this.#decrypt(id, new Uint8Array(content)).catch(() => undefined)
  }

  async #decrypt(id: string, bytes: Bytes): Promise<Bytes | undefined> {
    const name = encodeBase64url(bytes.slice(0, NAME_BYTES))
    for (const key of this.#keys) {
      if (encodeBase64url(await this.#nameOf(key)) !== name) continue
      const iv = bytes.slice(NAME_BYTES, NAME_BYTES + IV_BYTES)
      const ciphertext = bytes.slice(NAME_BYTES + IV_BYTES, -TAG_BYTES)
      const own = await this.#keyFor(key, id)
      return this.#backend.openAesGcm(own, iv, this.#aadFor(id), { ciphertext, tag: bytes.slice(-TAG_BYTES) })
    }
    return undefined
  }

  /** `label(use) ‖ lp(id)` */
  #aadFor(id: string): Bytes {
    return concatPrefixed(label(this.#use), [encodeAscii(id)])
  }

  /** Each record under a key of its own, so that random IVs never meet under one. */
  async #keyFor(key: Bytes, id: string): Promise<Bytes> {
    return expand(this.#backend, key, this.#use, encodeAscii(id))
  }

  /** Tells which key it was, so that none is tried. */
  async #nameOf(key: Bytes): Promise<Bytes> {
    return (await expand(this.#backend, key, this.#use, NOTHING)).slice(0, NAME_BYTES)
  }
}
