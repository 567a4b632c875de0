/**
 * Writes and reads the text of a ring, so that nobody without the ring's protection can write one that is believed: HMAC-SHA-256 over
 * all of it and over the version that it is stored as. An old text under its own version stays authentic: a store that went back
 * is noticed by who has seen a later one, and by nobody else.
 *
 * @module
 */

import { backend } from "#backend"
import { decodeBase64url, encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed, equalConstantTime } from "../base/bytes.ts"
import { canonicalJson } from "../base/canonical-json.ts"
import { encodeAscii, label } from "../base/text.ts"
import { refuseKey } from "../keys/jwk.ts"
import { AUTHENTIC_VERSION, parseDocument, type RingDocument, serializeRing } from "./document.ts"
import type { Keeper } from "./keeper.ts"
import type { RingState } from "./state.ts"

const SALT_BYTES = 16

/**
 * Whether what is stored of a ring is known to be of somebody who has its protection: `verified`; `unverified`, because no `protection`
 * was given; or `none`, because it has no MAC, as under a protection without a secret for one.
 */
export type RingAuthenticity = "verified" | "unverified" | "none"

const encoder = new TextEncoder()

async function tagOf(key: Bytes, members: object, version: number): Promise<Bytes> {
  const fields = [encodeAscii(String(version)), encoder.encode(canonicalJson(members))]
  return backend.hmacSha256(key, concatPrefixed(label("ring mac"), fields))
}

/** Reads and writes one ring's text. */
export class RingScribe {
  readonly #keeper: Keeper | undefined
  readonly #acceptsUnauthenticated: boolean
  #salt: Bytes | undefined
  #authenticity: RingAuthenticity = "none"

  constructor(keeper: Keeper | undefined, acceptsUnauthenticated: boolean) {
    this.#keeper = keeper
    this.#acceptsUnauthenticated = acceptsUnauthenticated
  }

  /** Of the text that was read or written last. */
  get authenticity(): RingAuthenticity {
    return this.#authenticity
  }

  /** Whether the next text will be authentic, and the last was not. */
  get isUpgrading(): boolean {
    return this.#keeper?.macKey !== undefined && this.#authenticity === "none"
  }

  /**
   * The text of a state.
   *
   * @throws `TypeError` when the ring is authenticated, and there is nothing here to do that with.
   */
  async write(state: RingState, version: number): Promise<string> {
    const macKey = this.#keeper?.macKey
    if (!macKey) {
      if (this.#authenticity === "none") return serializeRing(state)
      throw new TypeError("options.protection is needed to change a ring whose text is authenticated")
    }
    this.#salt ??= backend.randomBytes(SALT_BYTES)
    const salt = encodeBase64url(this.#salt)
    const written = serializeRing(state, { salt })
    const tag = await tagOf(await macKey(this.#salt), JSON.parse(written) as object, version)
    this.#authenticity = "verified"
    return serializeRing(state, { salt, tag: encodeBase64url(tag) })
  }

  /**
   * The state that a text holds.
   *
   * @throws `SealwireError` `ERR_KEY` unless it is a ring, of somebody with the same protection where that has a secret.
   */
  async read(text: string, version: number): Promise<RingState> {
    const document = parseDocument(text)
    this.#authenticity = await this.#examine(document, version)
    return document.state
  }

  async #examine({ v, mac, members }: RingDocument, version: number): Promise<RingAuthenticity> {
    const macKey = this.#keeper?.macKey
    if (v !== AUTHENTIC_VERSION) {
      if (!macKey || this.#acceptsUnauthenticated) return "none"
      return refuseKey(
        "the ring's text has no MAC: of an earlier edition, or of somebody without its protection",
      )
    }
    const salt = decodeBase64url(mac.salt)
    const tag = decodeBase64url(mac.tag)
    if (!salt || !tag) return refuseKey("the MAC of the ring's text is damaged")
    this.#salt = salt
    if (!this.#keeper) return "unverified"
    if (!macKey)
      return refuseKey("the ring's text is authenticated, and options.protection has no key for that")
    const expected = await tagOf(await macKey(salt), { ...members, mac: { salt: mac.salt } }, version)
    if (equalConstantTime(tag, expected)) return "verified"
    return refuseKey(
      "another passphrase, wrapping key or service, or the ring was changed by somebody without it",
    )
  }
}
