/**
 * The session store of a single process. What has ended goes when it is asked for, or at the next sweep: no timer for each.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { OpenEntry, SessionKeyName, SessionStore } from "./session-store.ts"

/** A store whose contents stay in this process, as they are. */
export type InProcessSessionStore<Content> = SessionStore<Content> & { readonly inProcess: true }

/** Contents that can forget what they hold. */
interface Wipeable {
  wipe(): void
}

interface Entry<Content> extends Omit<OpenEntry<Content>, "endsAtMs"> {
  readonly state: "offered" | "open"
  endsAtMs: number
}

function wipe(content: unknown): void {
  if (content instanceof Uint8Array) content.fill(0)
  else (content as Partial<Wipeable>).wipe?.()
}

/** A table that is full is looked through no more often: to those who are told to come again, it makes no difference. */
const LOOK_EVERY_MS = 1000

class Table<Content> {
  readonly #entries = new Map<string, Entry<Content>>()
  readonly #offers = new Map<string, Entry<Content>>()
  readonly #keys = new Map<string, { readonly sessionId: string; readonly endsAtMs: number }>()
  readonly #idsByPrincipal = new Map<string, Set<string>>()
  /** Nothing is looked for before. */
  #nextLookMs = Infinity
  /** No offer ends before. */
  #nextOfferEndMs = Infinity

  get size(): number {
    return this.#entries.size
  }

  get isEmpty(): boolean {
    return this.#entries.size + this.#keys.size === 0
  }

  get offers(): number {
    return this.#offers.size
  }

  /** What lives; what has ended by then goes. */
  get(id: string, nowMs: number): Entry<Content> | undefined {
    const entry = this.#entries.get(id)
    if (!entry || entry.endsAtMs > nowMs) return entry
    this.remove(id)
    return undefined
  }

  put(id: string, entry: Entry<Content>): void {
    this.#entries.set(id, entry)
    this.#nextLookMs = Math.min(this.#nextLookMs, entry.endsAtMs)
    if (entry.state === "offered") this.#putOffer(id, entry)
    if (entry.principal === undefined) return
    const ids = this.#idsByPrincipal.get(entry.principal) ?? new Set<string>()
    this.#idsByPrincipal.set(entry.principal, ids.add(id))
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id)
    if (!entry) return false
    this.#entries.delete(id)
    this.#offers.delete(id)
    this.#forgetPrincipal(entry.principal, id)
    wipe(entry.content)
    return true
  }

  removeEnded(nowMs: number): void {
    if (nowMs < this.#nextLookMs) return
    let nextEndMs = this.#removeEndedFrom(this.#entries, nowMs)
    for (const [keyId, { endsAtMs }] of this.#keys) {
      if (endsAtMs <= nowMs) this.#keys.delete(keyId)
      else nextEndMs = Math.min(nextEndMs, endsAtMs)
    }
    this.#nextLookMs = Math.max(nextEndMs, nowMs + LOOK_EVERY_MS)
  }

  /** Offers alone: whoever asks for another must not have all sessions looked through. */
  removeEndedOffers(nowMs: number): void {
    if (nowMs < this.#nextOfferEndMs) return
    this.#nextOfferEndMs = this.#removeEndedFrom(this.#offers, nowMs)
  }

  /** Tells when the first of the others ends. */
  #removeEndedFrom(entries: ReadonlyMap<string, Entry<Content>>, nowMs: number): number {
    let nextEndMs = Infinity
    for (const [id, { endsAtMs }] of entries) {
      if (endsAtMs <= nowMs) this.remove(id)
      else nextEndMs = Math.min(nextEndMs, endsAtMs)
    }
    return nextEndMs
  }

  #putOffer(id: string, entry: Entry<Content>): void {
    this.#offers.set(id, entry)
    this.#nextOfferEndMs = Math.min(this.#nextOfferEndMs, entry.endsAtMs)
  }

  /** Names that outlive their sessions: as few as there were keys to give away. */
  nameKey({ id, endsAtMs }: SessionKeyName, sessionId: string): void {
    this.#keys.set(id, { sessionId, endsAtMs })
    this.#nextLookMs = Math.min(this.#nextLookMs, endsAtMs)
  }

  idOfKey(keyId: string, nowMs: number): string | undefined {
    const key = this.#keys.get(keyId)
    return key && key.endsAtMs > nowMs ? key.sessionId : undefined
  }

  idsOf(principal: string | undefined): string[] {
    return [...(principal === undefined ? this.#entries.keys() : (this.#idsByPrincipal.get(principal) ?? []))]
  }

  #forgetPrincipal(principal: string | undefined, id: string): void {
    if (principal === undefined) return
    const ids = this.#idsByPrincipal.get(principal)
    ids?.delete(id)
    if (ids?.size === 0) this.#idsByPrincipal.delete(principal)
  }
}

function full(what: string, retryAfterSeconds: number): SealwireError {
  return new SealwireError("ERR_STORE_FULL", `the session store holds as many ${what} as it may`, {
    retryAfterSeconds,
  })
}

/**
 * Creates a session store in this process's memory. Keys in it need not be extractable, and are forgotten when sessions end.
 *
 * > [!WARNING]
 * > Other processes do not see its sessions, and they end with the process: clients then open new ones by themselves.
 *
 * @example
 * ```ts
 * import { memorySessionStore } from "sealwire/session"
 *
 * const store = memorySessionStore()
 * ```
 */
export function memorySessionStore<Content = object>(): InProcessSessionStore<Content> {
  const table = new Table<Content>()
  return {
    inProcess: true,
    add(id, { content, key, endsAtMs }, { maxSessions, maxPendingOffers }, nowMs) {
      if (table.offers >= maxPendingOffers) table.removeEndedOffers(nowMs)
      if (table.size >= maxSessions) table.removeEnded(nowMs)
      if (table.offers >= maxPendingOffers) throw full("offers", 1)
      if (table.size >= maxSessions) throw full("sessions", 10)
      if (table.get(id, nowMs)) throw new TypeError("id must be new")
      table.put(id, { state: "offered", content, principal: undefined, openedAtMs: 0, endsAtMs })
      if (key) table.nameKey(key, id)
    },
    open(id, session, nowMs) {
      const offer = table.get(id, nowMs)
      if (offer?.state !== "offered") return false
      table.remove(id)
      table.put(id, { ...session, state: "open" })
      return true
    },
    find: (id, nowMs) => table.get(id, nowMs),
    idOfKey: (keyId, nowMs) => table.idOfKey(keyId, nowMs),
    touch(id, endsAtMs, nowMs) {
      const entry = table.get(id, nowMs)
      if (entry?.state !== "open") return false
      entry.endsAtMs = Math.max(entry.endsAtMs, endsAtMs)
      return true
    },
    end: (id) => table.remove(id),
    endAll: (principal) => table.idsOf(principal).filter((id) => table.remove(id)).length,
    sweep(nowMs) {
      table.removeEnded(nowMs)
      return !table.isEmpty
    },
    list: (wanted, nowMs) =>
      table.idsOf(wanted).flatMap((id) => {
        const entry = table.get(id, nowMs)
        if (entry?.state !== "open") return []
        const { principal, openedAtMs, endsAtMs } = entry
        return [{ id, principal, openedAtMs, endsAtMs }]
      }),
  }
}
