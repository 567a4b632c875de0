/**
 * `sealwire/stores/postgres`: ids in Postgres, shared by every process that opens. docs/protocol.md §4.
 * A claim is one call of a function, one round trip and a transaction of its own; postgres-sql.ts says how a loss is noticed.
 * Beside them, in a table of its own: a key ring (§7).
 *
 * @module
 */

import { decodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { type Clock, processTime, systemClock } from "../base/clock.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { ReplayStore } from "../replay/store.ts"
import { type PostgresClient, type Query, queryOf } from "./postgres-client.ts"
import { isOvertaken, refusal, unanswered } from "./postgres-errors.ts"
import { type PostgresSql, postgresSql, type PostgresTable, schemaSql } from "./postgres-sql.ts"

export type { MaybePromise } from "../crypto/backend.ts"
export type {
  OfferEntry,
  OpenEntry,
  SessionKeyName,
  SessionLimits,
  SessionStore,
  SessionSummary,
  StoredSession,
} from "../session/session-store.ts"
export { migrateApiKeys, postgresApiKeySchema, postgresApiKeyStore } from "./postgres-api-keys.ts"
export type { IdempotencyStore } from "../idempotency/store.ts"
export type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
export {
  migrateIdempotency,
  postgresIdempotencySchema,
  postgresIdempotencyStore,
} from "./postgres-idempotency.ts"
export type { PgClient, PgliteClient, PostgresClient, PostgresJsClient } from "./postgres-client.ts"
export {
  postgresSessionSchema,
  postgresSessionStore,
  type PostgresSessionTable,
} from "./postgres-sessions.ts"
export {
  migrateSigningKeys,
  postgresSigningKeySchema,
  postgresSigningKeyStore,
} from "./postgres-signing-keys.ts"
export type { KeyRingStore, KeyRingText, StoredText } from "../key-ring/store.ts"
export { migrateKeyRing, postgresKeyRingSchema, postgresKeyRingStore } from "./postgres-key-ring.ts"
export type { PostgresTable } from "./postgres-sql.ts"

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions extends PostgresTable {
  /** As the guard's: how far the server's clock may be from this process's, in seconds, 1 to 3,600. Default: 5. */
  readonly clockErrorSeconds?: number
  /** Unix milliseconds; default the system's clock. */
  readonly clock?: Clock
}

/** Options of {@link postgresSchema} and {@link migrate}. */
export interface PostgresSchemaOptions extends PostgresTable {
  /**
   * Makes the table `UNLOGGED`: several times the claims a second. Default `false`.
   *
   * A crash or a promotion of a replica empties it, and then the restart rule holds, as it does for `memoryStore`.
   */
  readonly unlogged?: boolean
}

/** A replay store in Postgres. Made by {@link postgresStore}. */
export interface PostgresStore extends ReplayStore {
  /**
   * Checks the server, and marks its table as known: that it is there, on a primary that agrees about the time.
   *
   * The first claim does this by itself. Called when a process starts, it fails early instead, and a new table is known
   * before the first message comes: what was sent until then is quarantined.
   *
   * @throws `SealwireError` `ERR_STORE` or `ERR_STORE_FULL`.
   */
  ready(): Promise<void>
  /** Unix milliseconds; 0 before the server was first asked. A clock's error later than the server says. */
  readonly knowsSince: () => number
}

/**
 * A replay store in Postgres (13 or later), by a client that the caller has made. Does no I/O before it is used.
 *
 * Needs its table and its function: run {@link migrate} once. A claim is on the server's disk before it is answered, whatever
 * `synchronous_commit` says. A table that may have lost ids (emptied, made anew, restored by pg_dump or from a base backup,
 * on a promoted replica) is noticed in the claim itself: what was sent before is quarantined for about
 * `maxSkewSeconds + 2 · clockErrorSeconds`, and nothing is accepted twice.
 *
 * > [!WARNING]
 * > Not noticed: rows deleted by hand while the marker stays, a disk snapshot put back under the server, `fsync = off` and a
 * > loss of power, and an old primary that still answers some processes beside its successor. After the first two, empty
 * > the table. With replicas, set `synchronous_standby_names`, and fence the old primary.
 *
 * @returns A store whose `claim` rejects with `ERR_STORE_FULL` when the server's disk is full, and with `ERR_STORE` when it
 * cannot answer, is a replica, has another time, or when the client is inside a transaction.
 * @throws `TypeError` or `RangeError` for a client or an option that is none, or out of range.
 * @example
 * ```ts
 * import pg from "pg"
 * import { createReplayGuard } from "sealwire"
 * import { migrate, postgresStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await migrate(pool)
 * const store = postgresStore(pool)
 * await store.ready()
 * const replay = createReplayGuard({ store })
 * ```
 */
export function postgresStore(client: PostgresClient, options: PostgresStoreOptions = {}): PostgresStore {
  assertOptions(options, "options", ["table", "schema", "clockErrorSeconds", "clock"])
  const { clockErrorSeconds = 5, clock = systemClock, ...where } = options
  assertInteger(clockErrorSeconds, "options.clockErrorSeconds", 1, 3600)
  if (typeof clock !== "function") {
    throw new TypeError(`options.clock must be a function, not ${describe(clock)}`)
  }
  const ids = new SharedIds(queryOf(client), postgresSql(where), clockErrorSeconds * 1000, clock)
  return {
    claim: (id, expiresAtMs) => ids.claim(id, expiresAtMs),
    ready: () => ids.ready(),
    knowsSince: () => ids.knowsSinceMs,
  }
}

/**
 * The table and the function of {@link postgresStore} as SQL, for those who keep their schema by migrations. Can be run again.
 *
 * @throws `TypeError` for an option that is none, or a name that is not letters, digits and underscores.
 */
export function postgresSchema(options: PostgresSchemaOptions = {}): string {
  assertOptions(options, "options", ["table", "schema", "unlogged"])
  const { unlogged = false, ...where } = options
  if (typeof unlogged !== "boolean") {
    throw new TypeError(`options.unlogged must be a boolean, not ${describe(unlogged)}`)
  }
  return schemaSql(where, unlogged)
}

/**
 * Makes the table and the function of {@link postgresStore}, unless they are there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresSchema}.
 */
export async function migrate(client: PostgresClient, options: PostgresSchemaOptions = {}): Promise<void> {
  const schema = postgresSchema(options)
  // one text, so one transaction; the lock, because two that create the same at once fail
  const lock = "SELECT pg_advisory_xact_lock(hashtext('sealwire migrate'));"
  await queryOf(client)(`${lock}\n${schema}`).catch((error: unknown) => {
    throw unanswered(error)
  })
}

/** Claims between two purges, and rows that one purge deletes: twice as many, so that it keeps up. */
const PURGE_EVERY = 500
const PURGE_ROWS = 2 * PURGE_EVERY
/** How often a statement is sent again that another session's came before. */
const ATTEMPTS = 3
const KEPT_BYTES = 16
/** By byte: made for each claim, they cost as much as all else that the store does. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

function toHex(bytes: Bytes): string {
  let text = ""
  for (const byte of bytes) text += HEX[byte] ?? ""
  return text
}

class SharedIds {
  knowsSinceMs = 0
  readonly #query: Query
  readonly #sql: PostgresSql
  readonly #apartMs: number
  readonly #clock: Clock
  #claimsSincePurge = PURGE_EVERY

  constructor(query: Query, sql: PostgresSql, apartMs: number, clock: Clock) {
    this.#query = query
    this.#sql = sql
    this.#apartMs = apartMs
    this.#clock = clock
  }

  async claim(id: string, expiresAtMs: number): Promise<boolean> {
    const bytes = typeof id === "string" ? decodeBase64url(id) : undefined
    if (bytes?.length !== 32) throw new TypeError("id must be the base64url of 32 bytes, 43 characters")
    const expiryMs = Math.ceil(expiresAtMs)
    if (!Number.isSafeInteger(expiryMs)) {
      throw new RangeError(`expiresAtMs must be Unix milliseconds, not ${String(expiresAtMs)}`)
    }
    const isNew = await this.#ask(toHex(bytes.subarray(0, KEPT_BYTES)), expiryMs)
    if (++this.#claimsSincePurge >= PURGE_EVERY) this.#purge()
    return isNew
  }

  async ready(): Promise<void> {
    await this.#ask(undefined, Number.MAX_SAFE_INTEGER)
  }

  /** Beside the claims. A purge that fails is none of their business: nothing needs it to be accepted or refused. */
  #purge(): void {
    this.#claimsSincePurge = 0
    this.#query(this.#sql.purge(PURGE_ROWS)).catch(() => {
      this.#claimsSincePurge = PURGE_EVERY / 2
    })
  }

  /** Claims, unless there is no id; takes up what the answer says about times. */
  async #ask(idHex: string | undefined, expiresAtMs: number): Promise<boolean> {
    const [row] = await this.#send(idHex, expiresAtMs)
    const { verdict, since, now } = (row ?? {}) as Readonly<Record<string, unknown>>
    if (Number(since) > 0) this.#learn(Number(since), Number(now))
    if (verdict !== "won" && verdict !== "held") throw refusal(String(verdict))
    return verdict === "won"
  }

  async #send(idHex: string | undefined, expiresAtMs: number): Promise<readonly unknown[]> {
    for (let attempt = 1; ; attempt++) {
      const sentMs = Math.round(this.#clock())
      if (!Number.isSafeInteger(sentMs)) throw refusal("apart")
      try {
        return await this.#query(this.#sql.claim(idHex, expiresAtMs, sentMs, this.#apartMs))
      } catch (error) {
        if (attempt === ATTEMPTS || !isOvertaken(error)) throw unanswered(error)
      }
    }
  }

  /**
   * By the server's clock and by this process's, whichever is later. A message may have been accepted by a process
   * whose clock was ahead, so the one is moved on by a clock's error; keys have the process's time, which keeps the
   * error that the clock had when the process started, so the other goes by how long ago it was.
   */
  #learn(sinceMs: number, nowMs: number): void {
    const byProcessMs = processTime() - (nowMs - sinceMs)
    this.knowsSinceMs = Math.max(this.knowsSinceMs, sinceMs + this.#apartMs, byProcessMs)
  }
}
