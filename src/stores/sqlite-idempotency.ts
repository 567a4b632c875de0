/**
 * Operations in a SQLite file, shared by the processes of one machine. docs/protocol.md §8.3. Each question is one statement; times are
 * SQLite's.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import type { IdempotencyStore } from "../idempotency/store.ts"
import { assertKeyDatabase, openStatements, type SqliteKeyDatabase } from "./sqlite-records.ts"
import { quote } from "./sqlite-schema.ts"

/** Options of {@link sqliteIdempotencyStore}. */
export interface SqliteIdempotencyStoreOptions {
  /** The store's table: letters, digits and underscores. Default: `"sealwire_operations"`. */
  readonly table?: string
  /** Longest wait for another process's write, in milliseconds: 0 to 60,000. Default: 1,000. The event loop stands still meanwhile. */
  readonly busyTimeoutMs?: number
}

/** Operations between two purges, and rows that one purge deletes: twice as many, so that it keeps up. */
const PURGE_EVERY = 200
const PURGE_ROWS = 2 * PURGE_EVERY
/** How often what was held, and is gone when it is read, is begun again. */
const ATTEMPTS = 3

const NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

type Name = "begin" | "find" | "finish" | "purge"

const statementsFor = (table: string): Readonly<Record<Name, string>> => ({
  // "WHERE true", or SQLite takes ON for a join's
  begin: `INSERT INTO ${table} AS held SELECT ?, ?, ${NOW_MS} + ? WHERE true
    ON CONFLICT (id) DO UPDATE SET content = excluded.content, expires_at_ms = excluded.expires_at_ms
    WHERE held.expires_at_ms <= ${NOW_MS}`,
  find: `SELECT content FROM ${table} WHERE id = ? AND expires_at_ms > ${NOW_MS}`,
  finish: `UPDATE ${table} SET content = ? WHERE id = ? AND content = ? AND expires_at_ms > ${NOW_MS}`,
  purge: `DELETE FROM ${table} WHERE id IN
    (SELECT id FROM ${table} WHERE expires_at_ms <= ${NOW_MS} LIMIT ${PURGE_ROWS})`,
})

/**
 * The table that {@link sqliteIdempotencyStore} makes, as SQL: for those who keep their schema by migrations. Can be run again.
 *
 * @param table - Its name. Default: `"sealwire_operations"`.
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function sqliteIdempotencySchema(table = "sealwire_operations"): string {
  const name = quote(table)
  return `CREATE TABLE IF NOT EXISTS ${name} (
  id TEXT PRIMARY KEY NOT NULL,
  content BLOB NOT NULL,
  expires_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "${table}_expiry" ON ${name} (expires_at_ms);
`
}

/** Clients give a Buffer, or an array of bytes. */
function readContent(row: unknown): Uint8Array | undefined {
  if (row === undefined || row === null) return undefined
  return new Uint8Array((row as { content: Uint8Array }).content)
}

/**
 * Operations in a SQLite file on a local disk, for the processes of one machine. Does no I/O before it is used, and makes its table by
 * itself. Records come to it encrypted. An operation that begins is on the disk before it is carried out.
 *
 * > [!WARNING]
 * > A restored backup or snapshot lacks what came after it, and that is carried out again when it is asked for again. The machine's
 * > clock decides when an operation is forgotten.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the file cannot be read or written.
 * @throws `TypeError` or `RangeError` for a database or an option that is none, or out of range.
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite"
 * import { sqliteIdempotencyStore } from "sealwire/stores/sqlite"
 *
 * const store = sqliteIdempotencyStore(new DatabaseSync("operations.db"))
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all processes have
 * const idempotency = { store, recordKeys: [recordKey] } // for createEndpoint of sealwire/server
 * ```
 */
export function sqliteIdempotencyStore(
  database: SqliteKeyDatabase,
  options: SqliteIdempotencyStoreOptions = {},
): IdempotencyStore {
  assertKeyDatabase(database)
  assertOptions(options, "options", ["table", "busyTimeoutMs"])
  const { table = "sealwire_operations", busyTimeoutMs = 1000 } = options
  assertInteger(busyTimeoutMs, "options.busyTimeoutMs", 0, 60_000)
  const sql = { schema: sqliteIdempotencySchema(table), ...statementsFor(quote(table)) }
  const use = openStatements(database, sql, busyTimeoutMs, "idempotency store")
  const changes = (name: Name, ...values: (string | number | Uint8Array)[]): boolean =>
    use(name, (statement) => Number(statement.run(...values).changes) === 1)
  const find = (id: string): Uint8Array | undefined =>
    use("find", (statement) => readContent(statement.get(id)))

  let sincePurge = PURGE_EVERY
  function purgeSometimes(): void {
    if (++sincePurge < PURGE_EVERY) return
    sincePurge = 0
    use("purge", (statement) => statement.run())
  }

  return {
    find,
    begin(id, content, keepSeconds) {
      purgeSometimes()
      const keepMs = Math.ceil(keepSeconds * 1000)
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        if (changes("begin", id, content, keepMs)) return undefined
        const held = find(id)
        if (held) return held
      }
      throw new SealwireError("ERR_STORE", "the idempotency store holds an operation that it does not show")
    },
    finish: (id, begun, content) => changes("finish", content, id, begun),
  }
}
