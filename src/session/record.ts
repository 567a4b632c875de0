/**
 * What a server knows of an offer or a session, and how it is stored: as it is where it stays in the process, else encrypted
 * under a key that the store does not have. docs/protocol.md §6, last paragraph.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concat, concatPrefixed } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii, label } from "../base/text.ts"
import type { Backend, UnwrapHandle } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"
import { IV_BYTES, KEY_BYTES, TAG_BYTES } from "../crypto/sizes.ts"
import { OAEP, subtle } from "../crypto/subtle.ts"
import type { SessionWrap } from "./offer.ts"
import { SecretBytes } from "./secret.ts"

/** What of a session is not secret. */
export interface SessionFacts {
  /** `aud`. */
  readonly origin: string
  /** `exp`, in Unix seconds. */
  readonly expiresAtSeconds: number
  readonly idleSeconds: number
  readonly wrap: SessionWrap
  /** Thumbprint of the session's RSA key, and the size of its modulus. */
  readonly keyId: string
  readonly modulusBytes: number
  /** The context of the opening: the hash of the offer. */
  readonly offerHash: string
  /** Thumbprint of who signed the opening. */
  readonly opener?: string | undefined
  /** Which process made the offer, and when by `processTime`: only there it says something. */
  readonly maker: string
  readonly madeAtMs: number
}

/** An offer or a session, with its secrets. */
export class SessionRecord {
  readonly facts: SessionFacts
  #privateKey: UnwrapHandle | undefined
  #secret: SecretBytes | undefined

  constructor(facts: SessionFacts, privateKey: UnwrapHandle | undefined, secret: SecretBytes | undefined) {
    this.facts = facts
    this.#privateKey = privateKey
    this.#secret = secret
  }

  /** The session's RSA private key; undefined once it is gone. */
  get privateKey(): UnwrapHandle | undefined {
    return this.#privateKey
  }

  /** Undefined in an offer, and once the session has ended. */
  get secret(): SecretBytes | undefined {
    return this.#secret
  }

  /** Forgets both. */
  wipe(): void {
    this.#secret?.wipe()
    this.#secret = undefined
    this.#privateKey = undefined
  }
}

/** A record as a store has it. */
export interface RecordCodec<Content> {
  encode(id: string, record: SessionRecord): Promise<Content>
  /** Undefined for what no key of this server has made. */
  decode(id: string, content: Content): Promise<SessionRecord | undefined>
}

/** For stores that keep objects. */
export const plainCodec: RecordCodec<SessionRecord> = {
  encode: async (_, record) => record,
  decode: async (_, record) => record,
}

const NAME_BYTES = 8
const NOTHING = new Uint8Array(0)
const empty = (): Bytes => NOTHING

/** `name(8) ‖ IV(12) ‖ C ‖ T`; C is `lp(facts) ‖ lp(secret) ‖ PKCS #8 of the private key`. */
class Encrypted implements RecordCodec<Uint8Array> {
  readonly #backend: Backend
  readonly #keys: readonly Bytes[]

  constructor(backend: Backend, keys: readonly Bytes[]) {
    this.#backend = backend
    this.#keys = keys
  }

  async encode(id: string, { facts, secret, privateKey }: SessionRecord): Promise<Uint8Array> {
    const key = this.#keys[0] ?? empty()
    const der = privateKey ? await exportPkcs8(privateKey) : empty()
    const head = encodeAscii(JSON.stringify(facts))
    const plaintext = concatPrefixed(NOTHING, [head, secret?.bytes ?? empty()], der)
    const iv = this.#backend.randomBytes(IV_BYTES)
    const own = await this.#keyFor(key, id)
    const { ciphertext, tag } = await this.#backend.sealAesGcm(own, iv, aadFor(id), plaintext)
    for (const bytes of [der, plaintext, own]) bytes.fill(0)
    return concat(await this.#nameOf(key), iv, ciphertext, tag)
  }

  async decode(id: string, content: Uint8Array): Promise<SessionRecord | undefined> {
    const plaintext = await this.#decrypt(id, new Uint8Array(content)).catch(() => undefined)
    if (!plaintext) return undefined
    try {
      const [head, secret, der] = splitRecord(plaintext)
      const facts = JSON.parse(decodeUtf8(head) ?? "") as SessionFacts
      // the offer's key goes into the session's record
      const isKept = facts.wrap === "each" && secret.length === 0
      return new SessionRecord(
        facts,
        der.length > 0 ? await importPkcs8(this.#backend, der, isKept) : undefined,
        secret.length > 0 ? new SecretBytes(this.#backend, secret) : undefined,
      )
    } finally {
      plaintext.fill(0)
    }
  }

  async #decrypt(id: string, bytes: Bytes): Promise<Bytes | undefined> {
    const name = encodeBase64url(bytes.slice(0, NAME_BYTES))
    for (const key of this.#keys) {
      if (encodeBase64url(await this.#nameOf(key)) !== name) continue
      const iv = bytes.slice(NAME_BYTES, NAME_BYTES + IV_BYTES)
      const ciphertext = bytes.slice(NAME_BYTES + IV_BYTES, -TAG_BYTES)
      const own = await this.#keyFor(key, id)
      return this.#backend.openAesGcm(own, iv, aadFor(id), { ciphertext, tag: bytes.slice(-TAG_BYTES) })
    }
    return undefined
  }

  /** Each record under a key of its own, so that random IVs never meet under one. */
  async #keyFor(key: Bytes, id: string): Promise<Bytes> {
    return expand(this.#backend, key, "session record", encodeAscii(id))
  }

  /** Tells which key it was, so that none is tried. */
  async #nameOf(key: Bytes): Promise<Bytes> {
    return (await expand(this.#backend, key, "session record", NOTHING)).slice(0, NAME_BYTES)
  }
}

/** `label("session record") ‖ lp(sid)` */
const aadFor = (id: string): Bytes => concatPrefixed(label("session record"), [encodeAscii(id)])

/** Takes a plaintext apart that {@link Encrypted} has made; the secret is copied, since the plaintext is wiped. */
function splitRecord(plaintext: Bytes): [head: Bytes, secret: Bytes, der: Bytes] {
  const view = new DataView(plaintext.buffer, plaintext.byteOffset)
  const headEnd = 8 + view.getUint32(4)
  const secretEnd = headEnd + 8 + view.getUint32(headEnd + 4)
  return [
    plaintext.subarray(8, headEnd),
    new Uint8Array(plaintext.subarray(headEnd + 8, secretEnd)),
    plaintext.subarray(secretEnd),
  ]
}

async function exportPkcs8(privateKey: UnwrapHandle): Promise<Bytes> {
  const key = await privateKey.toCryptoKey?.()
  return new Uint8Array(await subtle().exportKey("pkcs8", key as CryptoKey))
}

async function importPkcs8(backend: Backend, der: Bytes, extractable: boolean): Promise<UnwrapHandle> {
  const key = await subtle().importKey("pkcs8", der, OAEP, extractable, ["decrypt"])
  return backend.importUnwrapKey(key, extractable)
}

/**
 * For stores outside this process: under the first key, read under any.
 *
 * @throws `TypeError` or `RangeError` naming the option, unless there is at least one key, each of 32 bytes.
 */
export function encryptedCodec(
  backend: Backend,
  keys: readonly Uint8Array[] | undefined,
): RecordCodec<Uint8Array> {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new TypeError(
      "options.recordKeys must have a key of 32 random bytes: this session store is shared, and must not read sessions",
    )
  }
  const copies = (keys as readonly Uint8Array[]).map((key) => new Uint8Array(key))
  for (const { length } of copies) {
    if (length !== KEY_BYTES)
      throw new RangeError(`options.recordKeys must be keys of 32 bytes, not ${length}`)
  }
  return new Encrypted(backend, copies)
}
