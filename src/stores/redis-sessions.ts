/**
 * Sessions in Redis 7 or Valkey, shared by every process of a fleet: `redisSessionStore` of `sealwire/stores/redis`.
 * docs/protocol.md §6. One script, and one round trip, for each question.
 *
 * @module
 */

import { decodeBase64url, encodeBase64url } from "#base64url"

import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { SessionStore, SessionSummary } from "../session/session-store.ts"
import { type RedisClient, scriptRunner } from "./redis-client.ts"
import type { Script } from "./redis-scripts.ts"
import { ADD, END, END_ALL, FIND, FIND_KEY, LIST, OPEN, SWEEP, TOUCH } from "./redis-session-scripts.ts"
import { fullOf, odd, unanswered } from "./session-errors.ts"

/** Options of {@link redisSessionStore}. */
export interface RedisSessionStoreOptions {
  /** Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. The same in all processes. */
  readonly prefix: string
}

/**
 * A session store in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is used.
 *
 * Records come to it encrypted. A server that loses or evicts them ends those sessions, and clients open others. All keys
 * lie in one hash tag, so a Cluster keeps them on one of its servers.
 *
 * > [!WARNING]
 * > Redis replicates asynchronously: a session that was ended just before a failover may come back until it runs out.
 *
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { generateSigningKeyPair } from "sealwire/keys"
 * import { createSessions } from "sealwire/session"
 * import { redisSessionStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const store = redisSessionStore(client, { prefix: "orders" })
 * const { signingKey: identity } = await generateSigningKeyPair()
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all servers have
 * const sessions = createSessions({ identity, store, recordKeys: [recordKey] })
 * ```
 */
export function redisSessionStore(client: RedisClient, options: RedisSessionStoreOptions): SessionStore {
  assertOptions(options, "options", ["prefix"])
  const { prefix } = options
  if (typeof prefix !== "string" || !/^[\x21-\x7a\x7c\x7e]{1,64}$/.test(prefix)) {
    throw new TypeError(
      `options.prefix must be 1 to 64 printable ASCII characters without spaces and braces, not ${describe(prefix)}`,
    )
  }
  const run = scriptRunner(client)
  const ask: Ask = (script, keys, ...args) =>
    run(script, keys, args.map(String)).catch((error: unknown) => {
      throw unanswered(error)
    })
  const start = `{${prefix}:sessions}:`
  const names: Names = {
    ends: `${start}ends`,
    offers: `${start}offers`,
    sessions: `${start}s:`,
    session: (id) => `${start}s:${id}`,
    principal: (principal) => `${start}p:${principal}`,
    key: (keyId) => `${start}k:${keyId}`,
  }
  return { ...writesTo(ask, names), ...readsFrom(ask, names), ...endsIn(ask, names) }
}

type Ask = (script: Script, keys: string[], ...args: (string | number)[]) => Promise<unknown>

/** What keys are called; `sessions` is what those of sessions begin with. */
interface Names {
  readonly ends: string
  readonly offers: string
  readonly sessions: string
  session(id: string): string
  principal(principal: string): string
  key(keyId: string): string
}

function writesTo(ask: Ask, names: Names): Pick<SessionStore, "add" | "open" | "touch"> {
  const { ends, offers } = names
  return {
    async add(id, { content, key, endsAtMs }, { maxSessions, maxPendingOffers }, nowMs) {
      const lifeMs = key ? key.endsAtMs - nowMs : 0
      const keys = [names.session(id), ends, offers, names.key(key?.id ?? "")]
      const args = [id, nowMs, endsAtMs, encode(content), maxSessions, maxPendingOffers, lifeMs]
      const verdict = await ask(ADD, keys, ...args)
      if (verdict === "offers" || verdict === "sessions") throw fullOf(verdict)
      if (verdict !== "added") throw odd()
    },
    async open(id, { content, principal = "", openedAtMs, endsAtMs }, nowMs) {
      const keys = [names.session(id), ends, offers, names.principal(principal)]
      const args = [id, nowMs, endsAtMs, encode(content), principal, openedAtMs, names.sessions]
      return isOne(await ask(OPEN, keys, ...args))
    },
    touch: async (id, endsAtMs, nowMs) =>
      isOne(await ask(TOUCH, [names.session(id), ends], id, nowMs, endsAtMs)),
  }
}

function readsFrom(ask: Ask, names: Names): Pick<SessionStore, "find" | "idOfKey" | "list"> {
  return {
    async find(id, nowMs) {
      const [state, content, end] = listOf(await ask(FIND, [names.session(id)]))
      const endsAtMs = Number(end)
      if ((state !== "offered" && state !== "open") || !(endsAtMs > nowMs)) return undefined
      const bytes = decodeBase64url(content ?? "")
      if (!bytes) throw odd()
      return { state, content: bytes, endsAtMs }
    },
    async idOfKey(keyId, nowMs) {
      const held = await ask(FIND_KEY, [names.key(keyId)])
      if (typeof held !== "string") return undefined
      const [id, end] = held.split(" ")
      return Number(end) > nowMs ? id : undefined
    },
    async list(principal, nowMs) {
      const key = principal === undefined ? names.ends : names.principal(principal)
      return summariesOf(listOf(await ask(LIST, [key], names.sessions, nowMs)))
    },
  }
}

function endsIn(ask: Ask, names: Names): Pick<SessionStore, "end" | "endAll" | "sweep"> {
  const { ends, offers } = names
  return {
    end: async (id) => isOne(await ask(END, [names.session(id), ends, offers], id)),
    endAll: async (principal) =>
      Number(await ask(END_ALL, [names.principal(principal), ends], names.sessions)),
    sweep: async (nowMs) => Number(await ask(SWEEP, [ends, offers], nowMs)) > 0,
  }
}

const encode = (content: Uint8Array): string => encodeBase64url(new Uint8Array(content))

/** A script's number, which a client may give as text. */
function isOne(answer: unknown): boolean {
  const number = Number(answer)
  if (number !== 0 && number !== 1) throw odd()
  return number === 1
}

function listOf(answer: unknown): (string | undefined)[] {
  if (!Array.isArray(answer)) throw odd()
  return answer.map((value: unknown) => (typeof value === "string" ? value : undefined))
}

function summariesOf(values: readonly (string | undefined)[]): SessionSummary[] {
  const listed: SessionSummary[] = []
  for (let at = 0; at < values.length; at += 4) {
    const [id = "", principal = "", opened, end] = values.slice(at, at + 4)
    listed.push({ id, principal: principal || undefined, openedAtMs: Number(opened), endsAtMs: Number(end) })
  }
  return listed
}
