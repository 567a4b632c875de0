/**
 * The server's half of sessions: offers, their opening, and the keys of messages. docs/protocol.md §6. It answers in terms of
 * the envelope room: what to open with, and what to do once a message counts.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Clock, processTime } from "../base/clock.ts"
import { openFailed, SealwireError } from "../base/errors.ts"
import { andThen, type MaybePromise } from "../base/maybe-promise.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { contextHashOf } from "../envelope/context.ts"
import type { SelectedKey, SessionBinding } from "../envelope/read.ts"
import { receive, type Received, type Receiving } from "../envelope/receive.ts"
import { materialOf, type SigningKey } from "../keys/key.ts"
import type { KeyPair } from "../keys/recipient.ts"
import { openingMessage } from "./handshake.ts"
import type { KeyPool } from "./key-pool.ts"
import { OFFER_SECONDS } from "./limits.ts"
import type { SessionUse } from "./message.ts"
import { type Offer, parseHello, type SessionWrap, signOffer } from "./offer.ts"
import { type RecordCodec, SessionRecord } from "./record.ts"
import { eachContextHash, sessionSecretOf } from "./secret.ts"
import type { SessionLimits, SessionStore, StoredSession } from "./session-store.ts"

/** What a manager works with. */
export interface SessionTerms<Content> {
  readonly identity: SigningKey
  readonly keyPool: KeyPool
  readonly store: SessionStore<Content>
  readonly codec: RecordCodec<Content>
  readonly lifetimeSeconds: number
  readonly idleSeconds: number
  readonly limits: SessionLimits
  readonly wrap: SessionWrap
  readonly clock: Clock
}

/** What a reader of openings demands, besides the offer. */
export type OpeningTerms = Pick<Receiving, "replay" | "findSigner" | "signatureRequired"> & {
  readonly origin: string
  /** Bounds private-key operations. */
  readonly gate?: (key: SelectedKey) => SelectedKey
}

/** An opening has no other message than the session's id. */
const MAX_OPENING_BYTES = 64
/** For so long after its end a session's key is still known to be one: messages on the way are told that it ended. */
const NAME_SECONDS = 600
const SWEEP_EVERY_MS = 15_000
/** A store that others share is told of messages no more often, */
const TOUCH_EVERY_MS = 1000
/** and ten times within the time that a session may be idle. */
const TOUCHES_WHILE_IDLE = 10

/** For readers that bound private-key operations elsewhere, or not at all. */
export const ungated = (key: SelectedKey): SelectedKey => key

/** The one refusal of a session that is not there, whatever became of it. */
export function noSession(): SealwireError {
  return new SealwireError("ERR_NO_SESSION", "the session is not known here, or has ended")
}

/** Runs sessions over a store. */
export class SessionManager<Content = unknown> {
  readonly #terms: SessionTerms<Content>
  readonly #backend: Backend
  /** Tells this process's records from those of others. */
  readonly #maker: string
  #sweep: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(terms: SessionTerms<Content>) {
    this.#terms = terms
    this.#backend = terms.keyPool.backend
    this.#maker = encodeBase64url(this.#backend.randomBytes(16))
  }

  /**
   * Steps 1 and 2.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED` for what is no hello; `ERR_KEY_UNAVAILABLE`, `ERR_STORE_FULL`, `ERR_STORE`.
   */
  async offer(hello: string, origin: string): Promise<string> {
    const challenge = parseHello(hello)
    if (challenge === undefined) throw openFailed()
    const { keyPool } = this.#terms
    const pair = keyPool.take()
    try {
      return await this.#offer(pair, challenge, origin)
    } catch (error) {
      // nobody has seen it, and making another takes long; after any other failure the store may have it
      if (error instanceof SealwireError && error.code === "ERR_STORE_FULL") keyPool.putBack(pair)
      throw error
    }
  }

  async #offer({ publicKey, privateKey }: KeyPair, challenge: string, origin: string): Promise<string> {
    const { identity, store, codec, wrap, limits, clock, lifetimeSeconds, idleSeconds } = this.#terms
    const nowMs = clock()
    const issuedAtSeconds = Math.floor(nowMs / 1000)
    const sessionId = encodeBase64url(this.#backend.randomBytes(16))
    const expiresAtSeconds = issuedAtSeconds + lifetimeSeconds
    const life = { issuedAtSeconds, expiresAtSeconds, idleSeconds }
    const offer: Offer = { origin, challenge, ...life, key: publicKey, sessionId, wrap }
    const text = await signOffer(identity, offer)
    const { handle } = materialOf(privateKey, "private", "key")
    const { kid: keyId, modulusBits } = publicKey
    // nobody knew the key before: what is sealed to it, and in its session, is younger than this
    const made = { maker: this.#maker, madeAtMs: processTime() }
    const offerHash = await contextHashOf(this.#backend, encodeAscii(text))
    const key = { keyId, modulusBytes: modulusBits / 8 }
    const facts = { origin, expiresAtSeconds, idleSeconds, wrap, ...key, offerHash, ...made }
    const entry = {
      content: await codec.encode(sessionId, new SessionRecord(facts, handle, undefined)),
      key: wrap === "each" ? { id: keyId, endsAtMs: (expiresAtSeconds + NAME_SECONDS) * 1000 } : undefined,
      endsAtMs: (issuedAtSeconds + OFFER_SECONDS) * 1000 + 1,
    }
    await store.add(sessionId, entry, limits, nowMs)
    this.#sweepLater()
    return text
  }

  /**
   * Step 3, up to where the opening is authentic; its `admit` opens the session.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED`; `ERR_NO_SESSION` where there is no such offer.
   */
  async receiveOpening(id: string, envelope: string, terms: OpeningTerms): Promise<Received> {
    const { origin, gate = ungated, ...reading } = terms
    const { record } = await this.#find(id, "offered", origin)
    const { facts, privateKey } = record
    const selected = gate({
      backend: this.#backend,
      encryptedKeyBytes: facts.modulusBytes,
      madeAtMs: this.#madeAtMs(record),
      contentKey: (encryptedKey) => privateKey?.unwrap(encryptedKey) ?? Promise.reject(noSession()),
    })
    const received = await receive(envelope, {
      ...reading,
      type: "sw1-open",
      maxMessageBytes: MAX_OPENING_BYTES,
      select: (kid) => (kid === facts.keyId ? selected : undefined),
      contextHash: () => facts.offerHash,
    })
    if (decodeUtf8(received.authentic.message) !== openingMessage(id)) throw openFailed()
    return {
      ...received,
      admit: async () => {
        const opened = await received.admit()
        await this.#open(id, record, envelope, received)
        return opened
      },
    }
  }

  /** Offered → open. Whatever was claimed, only one opening gets here first. */
  async #open(id: string, offer: SessionRecord, envelope: string, { authentic }: Received): Promise<void> {
    const { store, codec, clock } = this.#terms
    const { seed, signer: opener, header } = authentic
    const secret = await sessionSecretOf({ backend: this.#backend, envelope, seed, kid: header.kid })
    // in mode `once` the private key is left behind here
    const privateKey = offer.facts.wrap === "each" ? offer.privateKey : undefined
    const record = new SessionRecord({ ...offer.facts, opener }, privateKey, secret)
    let isKept = false
    try {
      const openedAtMs = clock()
      const session = {
        content: await codec.encode(id, record),
        principal: opener,
        openedAtMs,
        endsAtMs: endOf(record, openedAtMs),
      }
      const isOpen = await store.open(id, session, openedAtMs)
      if (!isOpen) throw new SealwireError("ERR_REPLAYED", "the offer was opened before, or has run out")
      isKept = store.inProcess === true
    } finally {
      if (!isKept) record.wipe()
    }
  }

  /**
   * The key of a message or a channel that names the session itself; undefined where it must not.
   *
   * @throws `SealwireError` `ERR_NO_SESSION`.
   */
  messageKey(id: string, origin: string, use: SessionUse = "message"): MaybePromise<SelectedKey | undefined> {
    return andThen(this.#find(id, "open", origin), (found) => {
      const { facts, secret } = found.record
      // partners who asked for a wrapped key in each message get no other
      if (!secret || (facts.wrap === "each" && use === "message")) return undefined
      return {
        backend: this.#backend,
        encryptedKeyBytes: 0,
        madeAtMs: this.#madeAtMs(found.record),
        contentKey: (_, nonce) => this.#lastUse(found.record, secret.expand(use, nonce)),
        session: this.#bindingOf(id, found),
      }
    })
  }

  /**
   * The key of a message in mode `each`, by the thumbprint that it names; undefined where no session has such a key.
   * Its context is checked before the private key is used, so a stranger costs no RSA.
   *
   * @throws `SealwireError` `ERR_NO_SESSION` where the session has ended.
   */
  async wrappedMessageKey(
    keyId: string,
    origin: string,
    context: Uint8Array<ArrayBuffer>,
  ): Promise<SelectedKey | undefined> {
    const { store, clock } = this.#terms
    const id = await store.idOfKey(keyId, clock())
    if (id === undefined) return undefined
    const found = await this.#find(id, "open", origin)
    const { facts, secret, privateKey } = found.record
    if (!secret || !privateKey || facts.keyId !== keyId) return undefined
    return {
      backend: this.#backend,
      encryptedKeyBytes: facts.modulusBytes,
      madeAtMs: this.#madeAtMs(found.record),
      contentKey: (encryptedKey) => privateKey.unwrap(encryptedKey),
      session: {
        ...this.#bindingOf(id, found),
        contextHash: (nonce) =>
          this.#lastUse(found.record, eachContextHash(this.#backend, secret, context, nonce)),
      },
    }
  }

  /** Stops sweeping: nothing of the manager's keeps running. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#sweep)
  }

  #find(id: string, state: StoredSession<Content>["state"], origin: string): MaybePromise<Found> {
    const { store, codec, clock } = this.#terms
    return andThen(store.find(id, clock()), (stored) => {
      if (stored?.state !== state) throw noSession()
      return andThen(codec.decode(id, stored.content), (record) => {
        if (record?.facts.origin !== origin) throw noSession()
        return { record, endsAtMs: stored.endsAtMs }
      })
    })
  }

  /** What a shared store has was read for one message, and its secret goes when that has its key. */
  #lastUse<Key>(record: SessionRecord, key: MaybePromise<Key>): MaybePromise<Key> {
    return andThen(key, (derived) => {
      if (!this.#terms.store.inProcess) record.wipe()
      return derived
    })
  }

  #madeAtMs({ facts }: SessionRecord): number | undefined {
    return facts.maker === this.#maker ? facts.madeAtMs : undefined
  }

  #bindingOf(id: string, { record, endsAtMs }: Found): SessionBinding {
    return { id, opener: record.facts.opener, touch: () => this.#touch(id, record, endsAtMs) }
  }

  #touch(id: string, record: SessionRecord, knownEndMs: number): MaybePromise<void> {
    const { store, clock } = this.#terms
    const nowMs = clock()
    const endsAtMs = endOf(record, nowMs)
    const everyMs = Math.min(TOUCH_EVERY_MS, (record.facts.idleSeconds * 1000) / TOUCHES_WHILE_IDLE)
    if (!store.inProcess && endsAtMs - knownEndMs < everyMs) return
    return andThen(store.touch(id, endsAtMs, nowMs), (lives) => {
      if (!lives) throw noSession()
    })
  }

  /** One timer for all that may end, which keeps no process alive. */
  #sweepLater(): void {
    if (this.#sweep !== undefined || this.#isClosed) return
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined
      void (async () => this.#terms.store.sweep(this.#terms.clock()))()
        // a store that fails now is asked again
        .catch(() => true)
        .then((isMore) => isMore && this.#sweepLater())
    }, SWEEP_EVERY_MS)
    ;(this.#sweep as { unref?: () => void }).unref?.()
  }
}

interface Found {
  readonly record: SessionRecord
  readonly endsAtMs: number
}

/** When a session ends if no message comes after this one. */
function endOf({ facts }: SessionRecord, nowMs: number): number {
  return Math.min(facts.expiresAtSeconds * 1000, nowMs + facts.idleSeconds * 1000)
}
