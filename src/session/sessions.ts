/**
 * The server's sessions, as an application sees them. docs/protocol.md §6.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { readContext } from "../envelope/context.ts"
import { messageLimit } from "../envelope/message.ts"
import type { Opened } from "../envelope/opened.ts"
import { assertGuard } from "../envelope/reader.ts"
import { receive } from "../envelope/receive.ts"
import { type KnownSigners, signerPolicy } from "../envelope/signers.ts"
import { materialOf, type SigningKey, type VerifyingKey } from "../keys/key.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import { askedStore } from "./asked-store.ts"
import { CONFIRMATION } from "./handshake.ts"
import { createKeyPool, type KeyPool } from "./key-pool.ts"
import { MAX_LIFETIME_SECONDS } from "./limits.ts"
import { noSession, SessionManager } from "./manager.ts"
import { type InProcessSessionStore, memorySessionStore } from "./memory-session-store.ts"
import { isSessionId, type SessionWrap } from "./offer.ts"
import { receivingIn } from "./receiving.ts"
import { encryptedCodec, plainCodec, type RecordCodec } from "./record.ts"
import type { SessionStore, SessionSummary } from "./session-store.ts"

/** Options of {@link createSessions}. */
export interface SessionsOptions {
  /** The server's long-term key, which clients pin: it signs the offers. */
  readonly identity: SigningKey
  /** Where the RSA pairs come from. Default: a pool of 64 pairs of 3072 bits. */
  readonly keyPool?: KeyPool
  /** Where sessions are kept. Default: this process's memory. */
  readonly store?: SessionStore | InProcessSessionStore<object>
  /**
   * Keys of 32 random bytes that records are encrypted under, where the store is a shared one: the first encrypts, all decrypt.
   * To rotate, put the new one second on all servers, then first, and drop the old one once `lifetimeSeconds` have passed.
   */
  readonly recordKeys?: readonly Uint8Array[]
  /** Longest life of a session, in seconds: 60 to 604,800. Default: 3,600. */
  readonly lifetimeSeconds?: number
  /** Longest time without a message, in seconds: 1 to 604,800, no more than its life. Default: 900. */
  readonly idleSeconds?: number
  /** Most sessions, those that are offered included: 1 to 100,000,000. Default: 100,000. */
  readonly maxSessions?: number
  /** Most offers that wait to be opened: 1 to 100,000. Each holds an RSA pair. Default: 256. */
  readonly maxPendingOffers?: number
  /** `"each"` for partners who must see an RSA-wrapped key in every message. Default: `"once"`. */
  readonly wrap?: SessionWrap
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
}

/** What a reader in sessions demands. */
export interface SessionReaderOptions {
  /** Scheme, host and port as clients see them. */
  readonly origin: string
  /** Decides whether an authentic message is fresh and new. */
  readonly replay: ReplayGuard
  /** Requires a signature by one of these: of the opening, and so of whoever sends in the session. Default: none required. */
  readonly signedBy?: VerifyingKey | readonly VerifyingKey[]
  /** Keys for optional signatures, or a look-up by thumbprint. Default: none. */
  readonly knownSigners?: KnownSigners
}

/** Options of {@link Sessions.openMessage}. */
export interface SessionMessageOptions extends SessionReaderOptions {
  /** What the sender bound the message to. Default: empty. */
  readonly context?: string | Uint8Array
  /** Largest message in bytes: 1 to 268,435,456. Default: 16,777,216. */
  readonly maxMessageBytes?: number
}

/** The server's sessions. Made by {@link createSessions}; `createEndpoint` serves them over HTTP. */
export interface Sessions {
  /**
   * Answers a client's hello by an offer.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED` for what is no hello; `ERR_KEY_UNAVAILABLE` when the key pool is empty,
   *   `ERR_STORE_FULL` at one of the limits, both with `retryAfterSeconds`; `ERR_STORE`.
   */
  offer(hello: string, options: Pick<SessionReaderOptions, "origin">): Promise<string>
  /**
   * Opens the session of an offer, and gives the reply that confirms it.
   *
   * @throws As `open`; `ERR_NO_SESSION` where there is no such offer, `ERR_REPLAYED` where it was opened before.
   */
  open(id: string, opening: string, options: SessionReaderOptions): Promise<string>
  /**
   * Opens a client's message in a session.
   *
   * @throws As `open`; `ERR_NO_SESSION` where the session has ended, or is not known.
   */
  openMessage(envelope: string, options: SessionMessageOptions): Promise<Opened>
  /** Ends a session, or drops an offer; tells whether there was one. */
  end(id: string): Promise<boolean>
  /**
   * Ends all sessions that a signing key has opened, by its thumbprint; tells how many.
   *
   * @throws `TypeError` for what is no thumbprint: nobody's sessions are not ended together.
   */
  endAll(principal: string): Promise<number>
  /**
   * The open sessions, or those of one signing key.
   *
   * @throws `TypeError` for what is no thumbprint.
   */
  list(principal?: string): Promise<SessionSummary[]>
  /** Resolves when as many sessions can open at once. Default: as many as the key pool holds. */
  ready(depth?: number): Promise<void>
  /** Stops the key pool and the clearing up. Sessions go on. */
  close(): void
}

const OPTIONS = [
  "identity",
  "keyPool",
  "store",
  "recordKeys",
  "lifetimeSeconds",
  "idleSeconds",
  "maxSessions",
  "maxPendingOffers",
  "wrap",
  "clock",
]
const READER_OPTIONS = ["origin", "replay", "signedBy", "knownSigners"]
const MESSAGE_OPTIONS = [...READER_OPTIONS, "context", "maxMessageBytes"]

const THUMBPRINT = /^[\w-]{43}$/

const managers = new WeakMap<Sessions, SessionManager>()

/**
 * What stands behind an application's sessions.
 *
 * @throws `TypeError` naming the option.
 */
export function managerOf(sessions: Sessions, name: string): SessionManager {
  const manager = managers.get(sessions)
  if (manager) return manager
  throw new TypeError(`${name} must be sessions made by createSessions, not ${describe(sessions)}`)
}

function readStore(store: NonNullable<SessionsOptions["store"]>): SessionStore<unknown> {
  if (typeof (store as Partial<SessionStore> | undefined)?.find === "function") return store
  throw new TypeError(
    `options.store must be a session store such as memorySessionStore(), not ${describe(store)}`,
  )
}

function readPool(keyPool: KeyPool, isShared: boolean): KeyPool {
  if (typeof (keyPool as Partial<KeyPool> | undefined)?.take !== "function") {
    throw new TypeError(`options.keyPool must be made by createKeyPool, not ${describe(keyPool)}`)
  }
  if (!isShared || keyPool.extractable) return keyPool
  throw new TypeError(
    "options.keyPool must be made with extractable: true, because the session store is shared",
  )
}

function createManager(options: SessionsOptions): {
  manager: SessionManager
  keyPool: KeyPool
  store: SessionStore<unknown>
  clock: Clock
} {
  assertOptions(options, "options", OPTIONS)
  const { identity, lifetimeSeconds = 3600, clock: given = systemClock, wrap = "once", recordKeys } = options
  const {
    idleSeconds = Math.min(900, lifetimeSeconds),
    maxSessions = 100_000,
    maxPendingOffers = 256,
  } = options
  materialOf(identity, "signing", "options.identity")
  assertInteger(lifetimeSeconds, "options.lifetimeSeconds", 60, MAX_LIFETIME_SECONDS)
  assertInteger(idleSeconds, "options.idleSeconds", 1, lifetimeSeconds)
  assertInteger(maxSessions, "options.maxSessions", 1, 100_000_000)
  assertInteger(maxPendingOffers, "options.maxPendingOffers", 1, 100_000)
  assertFunction(given, "options.clock")
  if (wrap !== "once" && (wrap as string) !== "each") {
    throw new RangeError(`options.wrap must be "once" or "each", not ${String(wrap)}`)
  }
  const store = askedStore(readStore(options.store ?? memorySessionStore()))
  const isShared = store.inProcess !== true
  if (!isShared && recordKeys !== undefined) {
    throw new TypeError(
      "options.recordKeys are for a session store that is shared: this one stays in the process",
    )
  }
  const codecWith = isShared ? encryptedCodec(recordKeys) : () => plainCodec
  // the last that can go wrong: a pool begins to fill as soon as it is made
  const keyPool = readPool(options.keyPool ?? createKeyPool({ extractable: isShared }), isShared)
  const codec = codecWith(keyPool.backend) as RecordCodec<unknown>
  const limits = { maxSessions, maxPendingOffers }
  // a database has whole milliseconds, and a clock may have parts of them
  const clock: Clock = () => Math.floor(given())
  const manager = new SessionManager({
    ...{ identity, keyPool, store, codec, lifetimeSeconds, idleSeconds, limits, wrap, clock },
  })
  return { manager, keyPool, store, clock }
}

function assertText(value: unknown, name: string): void {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string, not ${describe(value)}`)
}

/** A key in place of its thumbprint would end nothing, and a store could take nobody for everybody. */
function assertPrincipal(principal: unknown): void {
  if (typeof principal === "string" && THUMBPRINT.test(principal)) return
  throw new TypeError(`principal must be the thumbprint of a signing key, not ${describe(principal)}`)
}

function whatOperatorsAsk(
  store: SessionStore<unknown>,
  clock: Clock,
): Pick<Sessions, "end" | "endAll" | "list"> {
  return {
    async end(id) {
      assertText(id, "id")
      return isSessionId(id) && store.end(id)
    },
    async endAll(principal) {
      assertPrincipal(principal)
      return store.endAll(principal)
    },
    async list(principal) {
      if (principal !== undefined) assertPrincipal(principal)
      return store.list(principal, clock())
    },
  }
}

/**
 * Creates a server's sessions: an RSA pair for each, one private operation, then symmetric speed; and what was recorded stays
 * closed when the identity key is stolen later.
 *
 * @throws `TypeError` or `RangeError` for a wrong option.
 * @example
 * ```ts
 * import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
 * import { generateSigningKeyPair } from "sealwire/keys"
 * import { createEndpoint } from "sealwire/server"
 * import { createSessions } from "sealwire/session"
 *
 * const { privateKey } = await generateKeyPair()
 * const { signingKey: identity } = await generateSigningKeyPair()
 * const sessions = createSessions({ identity })
 * const endpoint = createEndpoint({
 *   origin: "https://api.example.com",
 *   keys: privateKey,
 *   directory: { identity },
 *   replay: createReplayGuard({ store: memoryStore() }),
 *   routes: { "/**": "medium" },
 *   sessions,
 * })
 * await sessions.ready(1)
 * sessions.close() // when the server stops
 * ```
 */
export function createSessions(options: SessionsOptions): Sessions {
  const { manager, keyPool, store, clock } = createManager(options)
  const sessions: Sessions = {
    async offer(hello, terms) {
      assertOptions(terms, "options", ["origin"])
      assertText(terms.origin, "options.origin")
      return manager.offer(hello, terms.origin)
    },
    async open(id, opening, terms) {
      assertOptions(terms, "options", READER_OPTIONS)
      const { origin, replay, signedBy, knownSigners } = terms
      assertText(origin, "options.origin")
      assertGuard(replay)
      const policy = signerPolicy(signedBy, knownSigners)
      if (!isSessionId(id)) throw noSession()
      const received = await manager.receiveOpening(id, opening, { origin, replay, ...policy })
      await received.admit()
      return (await received.reply(CONFIRMATION)).envelope
    },
    async openMessage(envelope, terms) {
      assertOptions(terms, "options", MESSAGE_OPTIONS)
      const { origin, replay, signedBy, knownSigners, maxMessageBytes } = terms
      assertText(origin, "options.origin")
      assertGuard(replay)
      const { bytes: context, hash: contextHash } = readContext(terms.context ?? "")
      const { signatureRequired, findSigner } = signerPolicy(signedBy, knownSigners)
      const reading = receivingIn({ manager, origin, context }, envelope, {
        type: "sw1",
        maxMessageBytes: messageLimit(maxMessageBytes),
        select: () => undefined,
        contextHash,
        replay,
        signatureRequired,
        findSigner,
      })
      return (await receive(envelope, reading)).admit()
    },
    ...whatOperatorsAsk(store, clock),
    ready: (depth) => keyPool.ready(depth),
    close() {
      keyPool.close()
      manager.close()
    },
  }
  managers.set(sessions, manager)
  return Object.freeze(sessions)
}
