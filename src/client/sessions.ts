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
import { attemptOnce, identified, type Sender } from "./attempt.ts"
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
/** Idle sessions are given up a little before the server does. */
const IDLE_MARGIN_MS = 5000
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
    if (live.expiresAtMs - this.#now() < Math.min(RENEW_MS, live.lifetimeMs * RENEW_SHARE)) {
      this.#renew().catch(() => undefined)
    }
    return this.#targetOf(live)
  }

  /** The session that is open, if one is; opens none. */
  async #existing(): Promise<Live | undefined> {
    return this.#live && this.#lives(this.#live) ? this.#live : this.#stored()
  }

  /** Forgets a session, here and for other pages. */
  async #drop(id: string): Promise<void> {
    this.#gone.add(id)
    if (this.#live?.end.sessionId === id) {
      const { secret } = this.#live.end
      if (secret instanceof SecretBytes) secret.wipe()
      this.#live = undefined
    }
    await this.#terms.states?.remove(id).catch(() => undefined)
  }

  /**
   * Ends the session that is open, if one is, on the server and here.
   *
   * @throws What the request threw; the session is forgotten all the same.
   */
  async end(sender: Sender, terms: OperationTerms): Promise<void> {
    const existing = await this.#existing()
    if (!existing) return
    const { sessionId } = existing.end
    try {
      const url = new URL(`${SESSIONS_PATH}/${sessionId}`, terms.baseUrl)
      const operation = await readOperation(url, { method: "DELETE" }, terms)
      const recipient = { current: async () => this.#targetOf(existing) }
      const end = await attemptOnce(operation, { ...sender, recipient }, 1, terms.budgetMs)
      if ("response" in end) return
      const isGone = end.error instanceof SealwireError && end.error.code === "ERR_NO_SESSION"
      if (!isGone) throw identified(end.error, operation, end.retryAfterMs)
    } finally {
      await this.#drop(sessionId)
    }
  }

  #now(): number {
    return this.#terms.settings.clock()
  }

  #lives({ end, expiresAtMs, usedAtMs, idleMs }: Live): boolean {
    const nowMs = this.#now()
    const idleEndMs = usedAtMs + idleMs - Math.min(IDLE_MARGIN_MS, idleMs * RENEW_SHARE)
    return nowMs < expiresAtMs && nowMs < idleEndMs && !this.#gone.has(end.sessionId)
  }

  #renew(): Promise<Live> {
    this.#pending ??= this.#next().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  async #next(): Promise<Live> {
    const stored = await this.#stored()
    const live = stored && stored.end.sessionId !== this.#live?.end.sessionId ? stored : await this.#open()
    this.#live = live
    return live
  }

  /** The session that another page has opened. */
  async #stored(): Promise<Live | undefined> {
    const { states, pins, settings } = this.#terms
    const state = await states?.load().catch(() => undefined)
    // a pin that was taken back takes its sessions with it
    if (!state || !pins.includes(state.identity)) return undefined
    const { backend } = settings
    const { id: sessionId, wrap, expiresAtMs, usedAtMs } = state
    const key = await publicKeyOf(backend, state.jwk)
    const end = { backend, sessionId, wrap, key, secret: secretOfCryptoKey(state.secret) }
    const lifetimeMs = expiresAtMs - this.#now()
    const live = { end, expiresAtMs, lifetimeMs, idleMs: state.idleSeconds * 1000, usedAtMs }
    return this.#lives(live) ? live : undefined
  }

  async #open(): Promise<Live> {
    const { settings, states, emit } = this.#terms
    const startMs = this.#now()
    const { offer, identity, secret } = await openOverHttp(this.#terms)
    const { sessionId, wrap, key, idleSeconds, expiresAtSeconds, issuedAtSeconds } = offer
    const lifetimeMs = (expiresAtSeconds - issuedAtSeconds) * 1000
    // by this clock alone, from before the offer was made: the two clocks need not agree
    const expiresAtMs = startMs + lifetimeMs
    emit({ type: "session", id: sessionId, expiresAtMs })
    const { backend } = settings
    const times = { expiresAtMs, lifetimeMs, idleMs: idleSeconds * 1000, usedAtMs: startMs }
    if (!states) return { end: { backend, sessionId, wrap, key, secret }, ...times }
    const shared = await cryptoKeyOfSecret(secret.bytes ?? new Uint8Array(0))
    secret.wipe()
    const jwk: PublicJwk = { ...materialOf(key, "public", "key").jwk }
    const state: SessionState = {
      id: sessionId,
      wrap,
      jwk,
      identity,
      secret: shared,
      expiresAtMs,
      idleSeconds,
      usedAtMs: startMs,
    }
    // a page that cannot keep it has it for itself
    await states.save(state).catch(() => undefined)
    return { end: { backend, sessionId, wrap, key, secret: secretOfCryptoKey(shared) }, ...times }
  }

  #targetOf(live: Live): Target {
    const { sessionId } = live.end
    const whole = this.#context
    return {
      seal: (message, issuedAtSeconds, context = whole) =>
        sealInSession(live.end, { message, context }, { issuedAtSeconds }),
      refused: async (outerStatus) => {
        if (outerStatus !== 401) return undefined
        await this.#drop(sessionId)
        return "no-session"
      },
      answered: () => this.#used(live),
    }
  }

  #used(live: Live): void {
    const nowMs = this.#now()
    const isOld = nowMs - live.usedAtMs >= TELL_EVERY_MS
    live.usedAtMs = nowMs
    if (isOld) void this.#terms.states?.touch(live.end.sessionId, nowMs).catch(() => undefined)
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
