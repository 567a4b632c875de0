/**
 * A client's session: opened when it is first needed, once for all who need it at that time, renewed before it ends.
 * docs/protocol.md §6.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { encodeAscii } from "../base/text.ts"
import type { PublicJwk } from "../crypto/backend.ts"
import { type Context, contextOf } from "../envelope/context.ts"
import { httpContext, SESSIONS_PATH } from "../http/wire.ts"
import { materialOf } from "../keys/key.ts"
import { publicKeyOf } from "../keys/recipient.ts"
import { type ClientEnd, sealInSession } from "../session/message.ts"
import { cryptoKeyOfSecret, SecretBytes, secretOfCryptoKey } from "../session/secret.ts"
import { attemptOnce, type End, identified, type Sender } from "./attempt.ts"
import type { Settings } from "./options.ts"
import type { Recipient, Target } from "./recipient.ts"
import { type OperationTerms, readOperation } from "./request.ts"
import { type HandshakeTerms, openOverHttp } from "./session-handshake.ts"
import { type SessionState, type SessionStates, sharedStates } from "./session-state.ts"

/** A session that is open, as far as this client knows. */
interface Live {
  readonly end: ClientEnd
  readonly expiresAtMs: number
  readonly lifetimeMs: number
  readonly idleMs: number
  usedAtMs: number
}

/** Sooner than it ends by this share of its life, and at most by so much. */
const RENEW_SHARE = 0.1
const RENEW_MS = 60_000
/** Sessions are given up a little before the server does: its clock has whole seconds, and a request takes its time. */
const END_MARGIN_MS = 5000
/** How long a renewal that failed is not tried again, where the server does not say. */
const RENEW_AGAIN_SECONDS = 1
/** How often other pages are told of uses. */
const TELL_EVERY_MS = 10_000

/** What a client's sessions need. */
export interface SessionsTerms extends HandshakeTerms {
  /** Where pages share a session. Default: nowhere. */
  readonly states: SessionStates | undefined
}

/** The one session of a client, and those that follow it. */
export class ClientSessions implements Recipient {
  readonly #terms: SessionsTerms
  readonly #context: Context
  #live: Live | undefined
  #pending: Promise<Live> | undefined
  #renewAgainMs = -Infinity
  /** Ids that the server does not know any longer; another page may still keep them. */
  readonly #gone = new Set<string>()

  constructor(terms: SessionsTerms) {
    this.#terms = terms
    this.#context = contextOf(encodeAscii(httpContext(terms.settings.origin)))
  }

  async current(): Promise<Target> {
    const live = this.#live
    if (!live || !this.#lives(live)) return this.#targetOf(await this.#renew())
    // while it is renewed, it still serves
    const nowMs = this.#now()
    const isLate = live.expiresAtMs - nowMs < Math.min(RENEW_MS, live.lifetimeMs * RENEW_SHARE)
    if (isLate && nowMs >= this.#renewAgainMs) {
      this.#renew().catch((error: unknown) => {
        const { retryAfterSeconds = RENEW_AGAIN_SECONDS } = error instanceof SealwireError ? error : {}
        this.#renewAgainMs = this.#now() + retryAfterSeconds * 1000
      })
    }
    return this.#targetOf(live)
  }

  /** Forgets a session, here and for other pages. */
  async #drop(id: string): Promise<void> {
    this.#gone.add(id)
    if (this.#live?.end.sessionId === id) {
      const { secret } = this.#live.end
      if (secret instanceof SecretBytes) secret.wipe()
      this.#live = undefined
    }
    await this.#terms.states?.remove(id)
  }

  /**
   * Ends the session that is open, if one is, on the server and here; also one that is being opened, and the one that other
   * pages have by now.
   *
   * @throws What the request threw; the session is forgotten all the same.
   */
  async end(sender: Sender, terms: OperationTerms): Promise<void> {
    const former = this.#live
    await this.#pending?.catch(() => undefined)
    const stored = await this.#liveOf(await this.#terms.states?.load())
    const open = new Map<string, Live>()
    for (const live of [stored, former, this.#live]) if (live) open.set(live.end.sessionId, live)
    await Promise.all([...open.values()].map((live) => this.#end(live, sender, terms)))
  }

  async #end(live: Live, sender: Sender, terms: OperationTerms): Promise<void> {
    const { sessionId } = live.end
    try {
      const url = new URL(`${SESSIONS_PATH}/${sessionId}`, terms.baseUrl)
      const operation = await readOperation(url, { method: "DELETE" }, terms)
      const recipient = { current: async () => this.#targetOf(live) }
      const attempt = (number: number): Promise<End> =>
        attemptOnce(operation, { ...sender, recipient }, number, terms.budgetMs)
      const first = await attempt(1)
      const end = first.reason === "stale" ? await attempt(2) : first
      if ("response" in end && end.response.ok) return
      const error =
        "error" in end ? end.error : new SealwireError("ERR_STORE", "the server could not end the session")
      const isGone = error instanceof SealwireError && error.code === "ERR_NO_SESSION"
      if (!isGone) throw identified(error, operation, end.retryAfterMs)
    } finally {
      await this.#drop(sessionId)
    }
  }

  #now(): number {
    return this.#terms.settings.clock()
  }

  #lives({ end, expiresAtMs, usedAtMs, idleMs }: Live): boolean {
    const endsAtMs = Math.min(expiresAtMs, usedAtMs + idleMs)
    // a session may not idle for longer than it lives
    const marginMs = Math.min(END_MARGIN_MS, idleMs * RENEW_SHARE)
    return this.#now() < endsAtMs - marginMs && !this.#gone.has(end.sessionId)
  }

  #renew(): Promise<Live> {
    this.#pending ??= this.#next().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  async #next(): Promise<Live> {
    const held = await this.#terms.states?.load()
    const stored = await this.#liveOf(held)
    // one that lives is renewed; one that seems to have idled may live by another page's use
    const isLate = this.#live && this.#lives(this.#live) && held?.id === this.#live.end.sessionId
    const live = stored && !isLate ? stored : await this.#open(held?.id)
    this.#live = live
    return live
  }

  /** The session that pages keep, where this client can use it; what another version of it has left there may be anything. */
  async #liveOf(state: SessionState | undefined): Promise<Live | undefined> {
    const { pins, settings } = this.#terms
    // a pin that was taken back takes its sessions with it
    if (!state || !pins.includes(state.identity)) return undefined
    const { backend } = settings
    const { id: sessionId, wrap, jwk, expiresAtMs, usedAtMs, idleSeconds } = state
    const key = await publicKeyOf(backend, jwk).catch(() => undefined)
    if (!key) return undefined
    const end = { backend, sessionId, wrap, key, secret: secretOfCryptoKey(state.secret) }
    const lifetimeMs = expiresAtMs - this.#now()
    const live = { end, expiresAtMs, lifetimeMs, idleMs: idleSeconds * 1000, usedAtMs }
    return this.#lives(live) ? live : undefined
  }

  /** @param former - The session that pages have kept until now. */
  async #open(former: string | undefined): Promise<Live> {
    const { settings, emit } = this.#terms
    const startMs = this.#now()
    const { offer, identity, secret } = await openOverHttp(this.#terms)
    const { sessionId, wrap, key, idleSeconds, expiresAtSeconds, issuedAtSeconds } = offer
    const lifetimeMs = (expiresAtSeconds - issuedAtSeconds) * 1000
    // by this clock alone, from before the offer was made: the two clocks need not agree
    const expiresAtMs = startMs + lifetimeMs
    emit({ type: "session", id: sessionId, expiresAtMs })
    const end = { backend: settings.backend, sessionId, wrap, key, secret }
    const own = { end, expiresAtMs, lifetimeMs, idleMs: idleSeconds * 1000, usedAtMs: startMs }
    // a page that cannot keep it has it for itself; one that another was faster than takes that one's
    const kept = await this.#liveOf(await this.#keep(own, secret, identity, former))
    if (kept) secret.wipe()
    return kept ?? own
  }

  /** Keeps a session for other pages; gives what they have now. */
  async #keep(
    { end, expiresAtMs, idleMs, usedAtMs }: Live,
    { bytes }: SecretBytes,
    identity: string,
    former: string | undefined,
  ): Promise<SessionState | undefined> {
    const { states } = this.#terms
    // there is no WebCrypto on an http: page
    const secret = states && bytes && (await cryptoKeyOfSecret(bytes).catch(() => undefined))
    if (!secret) return undefined
    const { sessionId: id, wrap, key } = end
    const jwk: PublicJwk = { ...materialOf(key, "public", "key").jwk }
    const idleSeconds = idleMs / 1000
    return states.save({ id, wrap, jwk, identity, secret, expiresAtMs, idleSeconds, usedAtMs }, former)
  }

  #targetOf(live: Live): Target {
    const { sessionId } = live.end
    const whole = this.#context
    const sentAtMs = this.#now()
    return {
      seal: (message, issuedAtSeconds, context = whole) =>
        sealInSession(live.end, { message, context }, { issuedAtSeconds }),
      refused: async (outerStatus) => {
        if (outerStatus !== 401) return undefined
        await this.#drop(sessionId)
        return "no-session"
      },
      answered: () => this.#used(live, sentAtMs),
    }
  }

  /** The server counts from when it has a message, not from when it answers. */
  #used(live: Live, sentAtMs: number): void {
    const isOld = sentAtMs - live.usedAtMs >= TELL_EVERY_MS
    live.usedAtMs = sentAtMs
    if (isOld) void this.#terms.states?.touch(live.end.sessionId, sentAtMs)
  }
}

/** Pages share a session for one server, one set of pins and one signer. */
function stateName({ baseUrl, origin, signWith }: Settings): string {
  return [baseUrl.origin, origin, signWith?.kid ?? ""].join(" ")
}

/** The sessions of a client, which other pages share where that is wanted. */
export function clientSessions(terms: HandshakeTerms): ClientSessions {
  const { settings } = terms
  const states = settings.session === "shared" ? sharedStates(stateName(settings)) : undefined
  return new ClientSessions({ ...terms, states })
}
