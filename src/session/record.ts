/**
 * What a server knows of an offer or a session, and how it is stored: as it is where it stays in the process, else encrypted
 * under a key that the store does not have. docs/protocol.md §6, last paragraph.
 *
 * @module
 */

import { type Bytes, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { Backend, MaybePromise, UnwrapHandle } from "../crypto/backend.ts"
import { readRecordKeys, RecordCipher } from "../crypto/record-cipher.ts"
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
  encode(id: string, record: SessionRecord): MaybePromise<Content>
  /** Undefined for what no key of this server has made. */
  decode(id: string, content: Content): MaybePromise<SessionRecord | undefined>
}

/** For stores that keep objects. */
export const plainCodec: RecordCodec<SessionRecord> = {
  encode: (_, record) => record,
  decode: (_, record) => record,
}

const empty = (): Bytes => NOTHING

/** The plaintext is `lp(facts) ‖ lp(secret) ‖ PKCS #8 of the private key`. */
class Encrypted implements RecordCodec<Uint8Array> {
  readonly #backend: Backend
  readonly #cipher: RecordCipher

  constructor(backend: Backend, keys: readonly Bytes[]) {
    this.#backend = backend
    this.#cipher = new RecordCipher(backend, keys, "session record")
  }

  async encode(id: string, { facts, secret, privateKey }: SessionRecord): Promise<Uint8Array> {
    const der = privateKey ? await exportPkcs8(privateKey) : empty()
    const head = encodeAscii(JSON.stringify(facts))
    const plaintext = concatPrefixed(NOTHING, [head, secret?.bytes ?? empty()], der)
    try {
      return await this.#cipher.seal(id, plaintext)
    } finally {
      for (const bytes of [der, plaintext]) bytes.fill(0)
    }
  }

  async decode(id: string, content: Uint8Array): Promise<SessionRecord | undefined> {
    const plaintext = await this.#cipher.open(id, content)
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
}

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
  keys: readonly Uint8Array[] | undefined,
): (backend: Backend) => RecordCodec<Uint8Array> {
  const store = "this session store is shared, and must not read sessions"
  const copies = readRecordKeys(keys, "options.recordKeys", store)
  return (backend) => new Encrypted(backend, copies)
}
