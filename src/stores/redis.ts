/**
 * `sealwire/stores/redis`: ids in Redis 7 or Valkey, one server or a Cluster, shared by every process that opens.
 * docs/protocol.md §4. A claim is one script and one round trip; redis-scripts.ts says how a loss of data is noticed,
 * redis-batches.ts which claims share a call.
 * Beside them, under a key of its own: a key ring (§7).
 * Keys lie in 256 hash tags, `{prefix:00}` to `{prefix:ff}`, so that a Cluster spreads them, each tag with its marker.
 *
 * @module
 */

import { type Clock, processTime, systemClock } from "../base/clock.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { ReplayStore } from "../replay/store.ts"
import { Batches, type VerdictOf } from "./redis-batches.ts"
import { type RedisClient, type RunScript, scriptRunner } from "./redis-client.ts"
import { refusal, unanswered } from "./redis-errors.ts"
import { assertPrefix } from "./redis-prefix.ts"
import { CLAIM, MARK, type Script, VERDICTS } from "./redis-scripts.ts"

export type {
  OfferEntry,
  OpenEntry,
  SessionKeyName,
  SessionLimits,
  SessionStore,
  SessionSummary,
  StoredSession,
} from "../session/session-store.ts"
export type { MaybePromise } from "../crypto/backend.ts"
export { redisApiKeyStore, type RedisApiKeyStoreOptions } from "./redis-api-keys.ts"
export type { GlideClient, IoredisClient, NodeRedisClient, RedisClient } from "./redis-client.ts"
export type { IdempotencyStore } from "../idempotency/store.ts"
export type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
export { redisIdempotencyStore, type RedisIdempotencyStoreOptions } from "./redis-idempotency.ts"
export { redisSigningKeyStore, type RedisSigningKeyStoreOptions } from "./redis-signing-keys.ts"
export { redisSessionStore, type RedisSessionStoreOptions } from "./redis-sessions.ts"
export type { KeyRingStore, KeyRingText, StoredText } from "../key-ring/store.ts"
export { redisKeyRingStore, type RedisKeyRingStoreOptions } from "./redis-key-ring.ts"

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces.
   *
   * The same in all processes that open with the same keys; never shared with other uses of the server.
   */
  readonly prefix: string
  /** As the guard's: how far the server's clock may be from this process's, in seconds, 1 to 3,600. Default: 5. */
  readonly clockErrorSeconds?: number
  /**
   * Says that you have seen `maxmemory-policy` to be `noeviction`, for a service that hides it. Default `false`.
   * A server that shows an evicting policy is refused all the same.
   */
  readonly evictionPolicyVerified?: boolean
  /** Unix milliseconds; default the system's clock. */
  readonly clock?: Clock
}

/** A replay store in Redis or Valkey. Made by {@link redisStore}. */
export interface RedisStore extends ReplayStore {
  /**
   * Checks the server and marks it as known: that it is a primary, evicts nothing and agrees about the time.
   *
   * The first claim does this by itself. Called when a process starts, it fails early instead, and a new prefix is
   * known before the first message comes: what was sent until then is quarantined.
   *
   * @throws `SealwireError` `ERR_STORE` or `ERR_STORE_FULL`.
   */
  ready(): Promise<void>
  /** Unix milliseconds; 0 before the server was first asked. A clock's error later than the server says. */
  readonly knowsSince: () => number
}

const TAGS = 256
const CHECK_EVERY_MS = 60_000
const ID = /^[\w-]{43}$/
/** 132 bits of the id. */
const KEPT_CHARACTERS = 22

/**
 * A replay store in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is used.
 *
 * A server that may have lost ids (restarted, flushed, a replica promoted, its first replica attached, a slot moved to
 * another) is noticed in the claim itself: what was sent before is quarantined for about
 * `maxSkewSeconds + 2 · clockErrorSeconds`, and nothing is accepted twice.
 *
 * > [!WARNING]
 * > Redis replicates asynchronously. A primary that is cut off, but still reached by some clients, goes on claiming
 * > beside its successor: set `min-replicas-to-write 1`, or use Postgres where that is not enough.
 *
 * @returns A store whose `claim` rejects with `ERR_STORE_FULL` when the server is out of memory, and with `ERR_STORE`
 * when it cannot answer, is a replica, may evict ids, or has another time.
 * @throws `TypeError` or `RangeError` for a client or an option that is none, or out of range.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { createReplayGuard } from "sealwire"
 * import { redisStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const store = redisStore(client, { prefix: "orders" })
 * await store.ready()
 * const replay = createReplayGuard({ store })
 * ```
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions): RedisStore {
  assertOptions(options, "options", ["prefix", "clockErrorSeconds", "evictionPolicyVerified", "clock"])
  const { prefix, clockErrorSeconds = 5, evictionPolicyVerified = false, clock = systemClock } = options
  assertPrefix(prefix)
  assertInteger(clockErrorSeconds, "options.clockErrorSeconds", 1, 3600)
  if (typeof evictionPolicyVerified !== "boolean") {
    throw new TypeError(
      `options.evictionPolicyVerified must be a boolean, not ${describe(evictionPolicyVerified)}`,
    )
  }
  if (typeof clock !== "function") {
    throw new TypeError(`options.clock must be a function, not ${describe(clock)}`)
  }
  const ids = new SharedIds(scriptRunner(client), {
    prefix,
    clockErrorSeconds,
    evictionPolicyVerified,
    clock,
  })
  return {
    claim: (id, expiresAtMs) => ids.claim(id, expiresAtMs),
    ready: () => ids.ready(),
    knowsSince: () => ids.knowsSinceMs,
  }
}

/** What a script answered, and what else it said. */
interface Reply {
  readonly verdict: string
  readonly detail: string
}

class SharedIds {
  knowsSinceMs = 0
  readonly #run: RunScript
  readonly #options: Required<RedisStoreOptions>
  /** By tag: how its keys start. */
  readonly #starts: readonly string[]
  /** By tag, in the process's time: when its server was last seen to be fit. */
  readonly #checkedAtMs: (number | undefined)[] = new Array<undefined>(TAGS)
  readonly #batches = new Batches((keys, expiries) => this.#claimAll(keys, expiries))
  #marking: Promise<void> | undefined

  constructor(run: RunScript, options: Required<RedisStoreOptions>) {
    this.#run = run
    this.#options = options
    const hex = (tag: number): string => tag.toString(16).padStart(2, "0")
    this.#starts = Array.from({ length: TAGS }, (_, tag) => `{${options.prefix}:${hex(tag)}}:`)
  }

  async claim(id: string, expiresAtMs: number): Promise<boolean> {
    if (typeof id !== "string" || !ID.test(id)) {
      throw new TypeError("id must be the base64url of 32 bytes, 43 characters")
    }
    if (!Number.isFinite(expiresAtMs)) {
      throw new RangeError(`expiresAtMs must be Unix milliseconds, not ${String(expiresAtMs)}`)
    }
    const tag = firstByte(id)
    const checkedAtMs = this.#checkedAtMs[tag]
    if (checkedAtMs === undefined) await this.ready()
    else if (processTime() - checkedAtMs > CHECK_EVERY_MS) await this.#mark(tag)

    const expiry = String(Math.ceil(expiresAtMs))
    let verdict = await this.#claimOnce(tag, id, expiry)
    if (verdict === "lost") {
      // every tag, so that ids of the others are not found to be lost one by one, for hours
      await this.ready()
      verdict = await this.#claimOnce(tag, id, expiry)
    }
    if (verdict !== "won" && verdict !== "held") throw refusal(verdict)
    return verdict === "won"
  }

  ready(): Promise<void> {
    this.#marking ??= this.#markAll().finally(() => {
      this.#marking = undefined
    })
    return this.#marking
  }

  async #claimOnce(tag: number, id: string, expiry: string): Promise<string> {
    const key = `${this.#starts[tag]}${id.slice(0, KEPT_CHARACTERS)}`
    try {
      return await this.#batches.claim(this.#marker(tag), key, expiry)
    } catch (error) {
      throw unanswered(error)
    }
  }

  async #claimAll(keys: string[], expiries: string[]): Promise<VerdictOf> {
    const { verdict, detail } = await this.#ask(CLAIM, keys, expiries)
    return verdict === "claimed" ? (place) => VERDICTS[detail.charAt(place)] ?? "odd" : () => verdict
  }

  async #markAll(): Promise<void> {
    await Promise.all(Array.from({ length: TAGS }, (_, tag) => this.#mark(tag)))
  }

  async #mark(tag: number): Promise<void> {
    const { verdict, detail: policy } = await this.#ask(MARK, [this.#marker(tag)]).catch((error: unknown) => {
      throw unanswered(error)
    })
    if (verdict !== "marked") throw refusal(verdict)
    const isHidden = policy === "" || policy === "hidden"
    if (isHidden ? !this.#options.evictionPolicyVerified : policy !== "noeviction") {
      throw isHidden ? refusal("hidden") : refusal("evicts", policy)
    }
    this.#checkedAtMs[tag] = processTime()
  }

  #marker(tag: number): string {
    return `${this.#starts[tag]}marker`
  }

  /** Runs a script; takes up what every reply says about times. */
  async #ask(script: Script, keys: string[], more: string[] = []): Promise<Reply> {
    const { clock, clockErrorSeconds } = this.#options
    const clockErrorMs = clockErrorSeconds * 1000
    const args = [String(Math.round(clock())), String(clockErrorMs), ...more]
    const reply = await this.#run(script, keys, args)
    const [verdict = "odd", since, now, detail = ""] = Array.isArray(reply) ? reply.map(String) : []
    if (Number(since) > 0) this.#learn(Number(since), Number(now), clockErrorMs)
    return { verdict, detail }
  }

  /**
   * By the server's clock and by this process's, whichever is later. A message may have been accepted by a process
   * whose clock was ahead, so the one is moved on by a clock's error; keys have the process's time, which keeps the
   * error that the clock had when the process started, so the other goes by how long ago it was.
   */
  #learn(sinceMs: number, nowMs: number, clockErrorMs: number): void {
    const byProcessMs = processTime() - (nowMs - sinceMs)
    this.knowsSinceMs = Math.max(this.knowsSinceMs, sinceMs + clockErrorMs, byProcessMs)
  }
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

function firstByte(id: string): number {
  return (ALPHABET.indexOf(id.charAt(0)) << 2) | (ALPHABET.indexOf(id.charAt(1)) >> 4)
}
