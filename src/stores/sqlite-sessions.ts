/**
 * Sessions in a SQLite file, shared by the processes of one machine: `sqliteSessionStore` of `sealwire/stores/sqlite`.
 * docs/protocol.md §6. Each question is one statement; what is added is counted in the statement that adds it.
 *
 * @module
 */

import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { SessionStore } from "../session/session-store.ts"
import { fullOf, odd, unanswered } from "./session-errors.ts"

type Value = string | number | Uint8Array | null

/** A prepared statement, as far as the session store uses it. */
export interface SqliteSessionStatement {
  run(...values: Value[]): { changes: number | bigint }
  get(...values: Value[]): unknown
  all(...values: Value[]): unknown[]
}

/** An open database of node:sqlite, better-sqlite3 or bun:sqlite. */
export interface SqliteSessionDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteSessionStatement
}

/** Options of {@link sqliteSessionStore}. */
export interface SqliteSessionStoreOptions {
  /** Letters, digits and underscores; the second table is named after it. Default: `"sealwire_sessions"`. */
  readonly table?: string
  /** Longest wait for another process's write, in milliseconds, in which the event loop stands still: 0 to 60,000. Default: 1,000. */
  readonly busyTimeoutMs?: number
}

/** Rows that one sweep deletes. */
const SWEEP_ROWS = 1000

const schemaOf = (table: string): string => `CREATE TABLE IF NOT EXISTS ${table} (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, content BLOB NOT NULL, ends_at_ms INTEGER NOT NULL,
  principal TEXT, opened_at_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ${table}_ends ON ${table} (ends_at_ms);
CREATE INDEX IF NOT EXISTS ${table}_offers ON ${table} (ends_at_ms) WHERE state = 'offered';
CREATE INDEX IF NOT EXISTS ${table}_principals ON ${table} (principal) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${table}_keys (
  key_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, ends_at_ms INTEGER NOT NULL
) WITHOUT ROWID;`

/** Positions in the order of the values: not every client numbers them. */
const sqlOf = (table: string) =>
  ({
    add: `INSERT INTO ${table} (id, state, content, ends_at_ms) SELECT ?, 'offered', ?, ? WHERE
      (SELECT count(*) FROM ${table} WHERE state = 'offered' AND ends_at_ms > ?) < ? AND
      (SELECT count(*) FROM ${table} WHERE ends_at_ms > ?) < ?`,
    offers: `SELECT count(*) AS number FROM ${table} WHERE state = 'offered' AND ends_at_ms > ?`,
    name: `INSERT INTO ${table}_keys VALUES (?, ?, ?)`,
    open: `UPDATE ${table} SET state = 'open', content = ?, ends_at_ms = ?, principal = ?, opened_at_ms = ?
      WHERE id = ? AND state = 'offered' AND ends_at_ms > ?`,
    find: `SELECT state, content, ends_at_ms AS ends FROM ${table} WHERE id = ? AND ends_at_ms > ?`,
    idOfKey: `SELECT session_id AS id FROM ${table}_keys WHERE key_id = ? AND ends_at_ms > ?`,
    touch: `UPDATE ${table} SET ends_at_ms = max(ends_at_ms, ?) WHERE id = ? AND state = 'open' AND ends_at_ms > ?`,
    end: `DELETE FROM ${table} WHERE id = ?`,
    endAll: `DELETE FROM ${table} WHERE principal = ?`,
    list: `SELECT id, principal, opened_at_ms AS opened, ends_at_ms AS ends FROM ${table}
      WHERE state = 'open' AND ends_at_ms > ? AND (? IS NULL OR principal = ?)`,
    sweep: `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE ends_at_ms <= ? LIMIT ${SWEEP_ROWS})`,
    sweepKeys: `DELETE FROM ${table}_keys
      WHERE key_id IN (SELECT key_id FROM ${table}_keys WHERE ends_at_ms <= ? LIMIT ${SWEEP_ROWS})`,
    more: `SELECT EXISTS (SELECT 1 FROM ${table}) OR EXISTS (SELECT 1 FROM ${table}_keys) AS number`,
  }) as const

type Name = keyof ReturnType<typeof sqlOf>
type Row = Readonly<Record<string, unknown>>

/**
 * A session store in a SQLite file on a local disk, for the processes of one machine. Does no I/O before it is used, then makes its
 * tables. Records come to it encrypted.
 *
 * @throws `TypeError` or `RangeError` for a database or an option that is none, or out of range.
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite"
 * import { generateSigningKeyPair } from "sealwire/keys"
 * import { createSessions } from "sealwire/session"
 * import { sqliteSessionStore } from "sealwire/stores/sqlite"
 *
 * const store = sqliteSessionStore(new DatabaseSync("sessions.db"))
 * const { signingKey: identity } = await generateSigningKeyPair()
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all processes have
 * const sessions = createSessions({ identity, store, recordKeys: [recordKey] })
 * ```
 */
export function sqliteSessionStore(
  database: SqliteSessionDatabase,
  options: SqliteSessionStoreOptions = {},
): SessionStore {
  if (typeof (database as Partial<SqliteSessionDatabase> | undefined)?.prepare !== "function") {
    throw new TypeError(
      `database must be one of node:sqlite, better-sqlite3 or bun:sqlite, not ${describe(database)}`,
    )
  }
  assertOptions(options, "options", ["table", "busyTimeoutMs"])
  const { table = "sealwire_sessions", busyTimeoutMs = 1000 } = options
  assertInteger(busyTimeoutMs, "options.busyTimeoutMs", 0, 60_000)
  if (typeof table !== "string" || !/^[A-Za-z_]\w{0,49}$/.test(table)) {
    throw new TypeError("options.table must be 1 to 50 letters, digits and underscores, no digit first")
  }
  return new Sessions(database, table, busyTimeoutMs)
}

class Sessions implements SessionStore {
  readonly #database: SqliteSessionDatabase
  readonly #table: string
  readonly #busyTimeoutMs: number
  #prepared: Readonly<Record<Name, SqliteSessionStatement>> | undefined

  constructor(database: SqliteSessionDatabase, table: string, busyTimeoutMs: number) {
    this.#database = database
    this.#table = table
    this.#busyTimeoutMs = busyTimeoutMs
  }

  readonly add: SessionStore["add"] = (id, { content, key, endsAtMs }, limits, nowMs) =>
    this.#ask((sql) => {
      const { maxSessions, maxPendingOffers } = limits
      const added = sql.add.run(id, content, endsAtMs, nowMs, maxPendingOffers, nowMs, maxSessions)
      if (Number(added.changes) === 1) {
        if (key) sql.name.run(key.id, id, key.endsAtMs)
        return
      }
      const { number } = sql.offers.get(nowMs) as { number: number | bigint }
      throw fullOf(Number(number) >= maxPendingOffers ? "offers" : "sessions")
    })

  readonly open: SessionStore["open"] = (id, { content, endsAtMs, principal, openedAtMs }, nowMs) =>
    this.#changes((sql) => sql.open.run(content, endsAtMs, principal ?? null, openedAtMs, id, nowMs))

  readonly find: SessionStore["find"] = (id, nowMs) =>
    this.#ask((sql) => {
      const row = (sql.find.get(id, nowMs) ?? undefined) as Row | undefined
      if (!row) return undefined
      const { state, content, ends } = row
      if ((state !== "offered" && state !== "open") || !(content instanceof Uint8Array)) throw odd()
      return { state, content: new Uint8Array(content), endsAtMs: Number(ends) }
    })

  readonly idOfKey: SessionStore["idOfKey"] = (keyId, nowMs) =>
    this.#ask((sql) => {
      const row = (sql.idOfKey.get(keyId, nowMs) ?? undefined) as { id: string } | undefined
      return row?.id
    })

  readonly touch: SessionStore["touch"] = (id, endsAtMs, nowMs) =>
    this.#changes((sql) => sql.touch.run(endsAtMs, id, nowMs))

  readonly end: SessionStore["end"] = (id) => this.#changes((sql) => sql.end.run(id))

  readonly endAll: SessionStore["endAll"] = (principal) =>
    this.#ask((sql) => Number(sql.endAll.run(principal).changes))

  readonly list: SessionStore["list"] = (principal, nowMs) =>
    this.#ask((sql) =>
      (sql.list.all(nowMs, principal ?? null, principal ?? null) as Row[]).map((row) => ({
        id: String(row["id"]),
        principal: typeof row["principal"] === "string" ? row["principal"] : undefined,
        openedAtMs: Number(row["opened"]),
        endsAtMs: Number(row["ends"]),
      })),
    )

  readonly sweep: SessionStore["sweep"] = (nowMs) =>
    this.#ask((sql) => {
      sql.sweep.run(nowMs)
      sql.sweepKeys.run(nowMs)
      return Number((sql.more.get() as { number: number | bigint }).number) === 1
    })

  async #changes(
    run: (sql: Readonly<Record<Name, SqliteSessionStatement>>) => { changes: number | bigint },
  ): Promise<boolean> {
    return this.#ask((sql) => Number(run(sql).changes) === 1)
  }

  /** SQLite answers at once; what it throws becomes a rejection. */
  async #ask<Answer>(
    question: (sql: Readonly<Record<Name, SqliteSessionStatement>>) => Answer,
  ): Promise<Answer> {
    try {
      return await Promise.resolve(question((this.#prepared ??= this.#prepare())))
    } catch (error) {
      throw unanswered(error)
    }
  }

  #prepare(): Readonly<Record<Name, SqliteSessionStatement>> {
    this.#database.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`)
    this.#database.exec("PRAGMA journal_mode = WAL")
    this.#database.exec("PRAGMA secure_delete = ON")
    this.#database.exec(schemaOf(this.#table))
    const prepared = Object.entries(sqlOf(this.#table)).map(([name, sql]) => [
      name,
      this.#database.prepare(sql),
    ])
    return Object.fromEntries(prepared) as Readonly<Record<Name, SqliteSessionStatement>>
  }
}
