/**
 * `sealwire/stores/sqlite`: ids in a SQLite file, shared by the processes of one machine. docs/protocol.md §4.
 *
 * Each commit waits for the disk. Claims that come in one turn of the event loop therefore share one transaction, and are
 * answered after its commit. The transaction takes SQLite's write lock first: nothing in it can be seen half done.
 *
 * @module
 */

import { decodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { type Clock, processTime, systemClock } from "../base/clock.ts"
import type { SealwireError } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { ReplayStore } from "../replay/store.ts"
import {
  asStoreError,
  failed,
  type Prepared,
  prepareAll,
  readNumbers,
  rollBack,
  setUpConnection,
  type SqliteDatabase,
} from "./sqlite-connection.ts"
import { type SqliteSql, sqliteSql } from "./sqlite-schema.ts"

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
export { sqliteApiKeySchema, sqliteApiKeyStore, type SqliteApiKeyStoreOptions } from "./sqlite-api-keys.ts"
export type { IdempotencyStore } from "../idempotency/store.ts"
export type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
export {
  sqliteIdempotencySchema,
  sqliteIdempotencyStore,
  type SqliteIdempotencyStoreOptions,
} from "./sqlite-idempotency.ts"
export type { SqliteKeyDatabase, SqliteKeyStatement, SqliteValue } from "./sqlite-records.ts"
export {
  sqliteSigningKeySchema,
  sqliteSigningKeyStore,
  type SqliteSigningKeyStoreOptions,
} from "./sqlite-signing-keys.ts"
export type { SqliteDatabase, SqliteStatement } from "./sqlite-connection.ts"
export {
  type SqliteSessionDatabase,
  type SqliteSessionStatement,
  sqliteSessionStore,
  type SqliteSessionStoreOptions,
} from "./sqlite-sessions.ts"
export { sqliteSchema } from "./sqlite-schema.ts"

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** The store's table: letters, digits and underscores. Default: `"sealwire_replay"`. */
  readonly table?: string
  /**
   * Longest wait for another process's write, in milliseconds: 0 to 60,000. Default: 1,000.
   *
   * The event loop stands still meanwhile; keep it below the guard's `storeTimeoutMs`.
   */
  readonly busyTimeoutMs?: number
  /** Unix milliseconds; default the system's clock. */
  readonly clock?: Clock
}

/** A replay store in a SQLite file. Made by {@link sqliteStore}. */
export interface SqliteStore extends ReplayStore {
  /**
   * Makes the table unless it is there, and sets the connection up. The first claim does this by itself; called when a
   * process starts, it fails early instead, and a new file is known before the first message comes.
   *
   * @throws `SealwireError` `ERR_STORE` or `ERR_STORE_FULL`.
   */
  ready(): Promise<void>
  /** Unix milliseconds: when the table was made; 0 before it was first read. */
  readonly knowsSince: () => number
}

/**
 * A replay store in a SQLite file on a local disk, for any number of processes of one machine. Does no I/O before it is used.
 *
 * A claim is on the disk before it is answered (WAL, `synchronous = EXTRA`): it survives `kill -9` and a loss of power. A new,
 * emptied or in-memory database starts with the restart rule, as `memoryStore` does.
 *
 * > [!WARNING]
 * > Give the store a connection of its own: it sets `journal_mode`, `synchronous` and `busy_timeout`, and refuses to claim
 * > while a transaction is open, whose rollback would undo the claim. Never delete or replace the file under a running
 * > process. A restored backup or snapshot lacks what came after it, and nothing in the file says so: drop the store's
 * > table from it first, and the restart rule holds.
 *
 * @returns A store whose `claim` rejects with `ERR_STORE_FULL` when the disk is full, and with `ERR_STORE` when the file
 * cannot be read or written, is locked for too long, when the id has expired, or may have been purged already because
 * the clock was set back.
 * @throws `TypeError` or `RangeError` for a database or an option that is none, or out of range.
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite"
 * import { createReplayGuard } from "sealwire"
 * import { sqliteStore } from "sealwire/stores/sqlite"
 *
 * const store = sqliteStore(new DatabaseSync("replay.db"))
 * await store.ready()
 * const replay = createReplayGuard({ store })
 * ```
 */
export function sqliteStore(database: SqliteDatabase, options: SqliteStoreOptions = {}): SqliteStore {
  const members = ((database as unknown) ?? {}) as Readonly<Record<string, unknown>>
  if (typeof members["exec"] !== "function" || typeof members["prepare"] !== "function") {
    throw new TypeError(
      `database must be one of node:sqlite, better-sqlite3 or bun:sqlite, not ${describe(database)}`,
    )
  }
  assertOptions(options, "options", ["table", "busyTimeoutMs", "clock"])
  const { table = "sealwire_replay", busyTimeoutMs = 1000, clock } = options
  assertInteger(busyTimeoutMs, "options.busyTimeoutMs", 0, 60_000)
  if (clock !== undefined && typeof clock !== "function") {
    throw new TypeError(`options.clock must be a function, not ${describe(clock)}`)
  }
  const ids = new StoredIds(database, sqliteSql(table), busyTimeoutMs, clock)
  return {
    claim: (id, expiresAtMs) => ids.claim(id, expiresAtMs),
    ready: () => ids.ready(),
    knowsSince: () => ids.knowsSinceMs,
  }
}

/** A claim that waits for the next transaction. Without an id it asks for the transaction only. */
interface Pending {
  readonly id: Bytes | undefined
  readonly expiresAtMs: number
  readonly resolve: (isNew: boolean) => void
  readonly reject: (error: Error) => void
}

/** Claims between two purges, and rows that one purge deletes: twice as many, so that it keeps up, and a few ms. */
const PURGE_EVERY = 200
const PURGE_ROWS = 2 * PURGE_EVERY
/** What one transaction takes: the event loop stands still for as long. */
const BATCH = 256

class StoredIds {
  knowsSinceMs = 0
  readonly #database: SqliteDatabase
  readonly #sql: SqliteSql
  readonly #busyTimeoutMs: number
  readonly #clock: Clock
  /** The time by which keys are dated, unless the caller gave another. */
  readonly #processTime: Clock
  #pending: Pending[] = []
  #prepared: Prepared | undefined
  #claimsSincePurge = PURGE_EVERY

  constructor(database: SqliteDatabase, sql: SqliteSql, busyTimeoutMs: number, clock: Clock | undefined) {
    this.#database = database
    this.#sql = sql
    this.#busyTimeoutMs = busyTimeoutMs
    this.#clock = clock ?? systemClock
    this.#processTime = clock ?? processTime
  }

  async claim(id: string, expiresAtMs: number): Promise<boolean> {
    const bytes = typeof id === "string" ? decodeBase64url(id) : undefined
    if (bytes?.length !== 32) throw new TypeError("id must be the base64url of 32 bytes, 43 characters")
    if (!Number.isFinite(expiresAtMs)) {
      throw new RangeError(`expiresAtMs must be Unix milliseconds, not ${String(expiresAtMs)}`)
    }
    return this.#enqueue(bytes.subarray(0, 16), Math.ceil(expiresAtMs))
  }

  async ready(): Promise<void> {
    await this.#enqueue(undefined, Infinity)
  }

  #enqueue(id: Bytes | undefined, expiresAtMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ id, expiresAtMs, resolve, reject })
      if (this.#pending.length === 1) this.#flushSoon()
    })
  }

  /** After what else has arrived by now, so that it comes along. */
  #flushSoon(): void {
    setImmediate(() => {
      const batch = this.#pending.splice(0, BATCH)
      if (this.#pending.length > 0) this.#flushSoon()
      this.#flush(batch)
    })
  }

  #flush(batch: readonly Pending[]): void {
    let answers: (boolean | SealwireError)[]
    try {
      answers = this.#commit(batch)
    } catch (error) {
      // set up anew next time: the table may be gone, or the file was not to be had yet
      this.#prepared = undefined
      this.#claimsSincePurge = PURGE_EVERY
      const failure = asStoreError(error)
      for (const { reject } of batch) reject(failure)
      return
    }
    for (const [at, { resolve, reject }] of batch.entries()) {
      const answer = answers[at]
      if (typeof answer === "boolean") resolve(answer)
      else reject(answer ?? asStoreError(undefined))
    }
  }

  #commit(batch: readonly Pending[]): (boolean | SealwireError)[] {
    const isSetUp = this.#prepared !== undefined
    if (!isSetUp) setUpConnection(this.#database, this.#busyTimeoutMs)
    // refused by SQLite itself while another transaction is open on this connection
    this.#database.exec("BEGIN IMMEDIATE")
    try {
      if (!isSetUp) this.#database.exec(this.#sql.schema)
      const prepared = (this.#prepared ??= prepareAll(this.#database, this.#sql))
      const nowMs = this.#clock()
      if (!Number.isFinite(nowMs)) throw failed("has a clock without a time")
      const answers = this.#claimAll(prepared, batch, nowMs)
      this.#database.exec("COMMIT")
      return answers
    } catch (error) {
      rollBack(this.#database)
      throw error
    }
  }

  #claimAll(prepared: Prepared, batch: readonly Pending[], nowMs: number): (boolean | SealwireError)[] {
    // before the claims: a full disk gets room
    if (this.#claimsSincePurge >= PURGE_EVERY) this.#purge(prepared, nowMs)
    this.#claimsSincePurge += batch.length
    const purgedUntilMs = this.#readMarker(prepared, nowMs)
    return batch.map(({ id, expiresAtMs }) => {
      if (!id) return true
      if (expiresAtMs <= nowMs) return failed("got the id after it had expired")
      if (expiresAtMs <= purgedUntilMs) {
        return failed("may have purged the id already: the clock was set back")
      }
      return Number(prepared.claim.run(id, expiresAtMs).changes) === 1
    })
  }

  /** Read in each transaction: another process may have found the table emptied, and marked it anew. */
  #readMarker({ readMarker, addMarker }: Prepared, nowMs: number): number {
    let marker = readNumbers(readMarker.get())
    if (!marker) {
      addMarker.run(Math.ceil(nowMs))
      marker = [Math.ceil(nowMs), 0]
    }
    const [sinceMs = NaN, purgedUntilMs = NaN] = marker
    // by the wall and by this process's time, whichever is later: the wall clock may have been set since the start
    const byProcessMs = this.#processTime() - (nowMs - sinceMs)
    this.knowsSinceMs = Math.max(this.knowsSinceMs, sinceMs, byProcessMs)
    return purgedUntilMs
  }

  #purge({ lastToPurge, movePurged, purge }: Prepared, nowMs: number): void {
    this.#claimsSincePurge = 0
    const [lastMs = 0] = readNumbers(lastToPurge.get(nowMs, PURGE_ROWS)) ?? []
    if (lastMs === 0) return
    movePurged.run(lastMs)
    purge.run(nowMs, PURGE_ROWS)
  }
}
