/**
 * API keys in a SQLite file, shared by the processes of one machine: the server's, and `sealwire api-keys` beside it.
 *
 * @module
 */

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import {
  assertKeyDatabase,
  openStatements,
  principalRecords,
  type PrincipalStatement,
  principalStatements,
  readMoment,
  type Row,
  type SqliteKeyDatabase,
} from "./sqlite-records.ts"
import { quote } from "./sqlite-schema.ts"

/** Options of {@link sqliteApiKeyStore}. */
export interface SqliteApiKeyStoreOptions {
  /** The store's table: letters, digits and underscores. Default: `"sealwire_api_keys"`. */
  readonly table?: string
  /** Longest wait for another process's write, in milliseconds: 0 to 60,000. Default: 1,000. The event loop stands still meanwhile. */
  readonly busyTimeoutMs?: number
}

const COLUMNS = 7

const statementsFor = (table: string): Readonly<Record<PrincipalStatement | "touch", string>> => ({
  ...principalStatements(table, "id", COLUMNS),
  touch: `UPDATE ${table} SET last_used_at_ms = max(coalesce(last_used_at_ms, 0), ?) WHERE id = ?`,
})

/**
 * The table that {@link sqliteApiKeyStore} makes, as SQL: for those who keep their schema by migrations. Can be run again.
 *
 * @param table - Its name. Default: `"sealwire_api_keys"`.
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function sqliteApiKeySchema(table = "sealwire_api_keys"): string {
  return `CREATE TABLE IF NOT EXISTS ${quote(table)} (
  id TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL,
  principal TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  ends_at_ms INTEGER,
  last_used_at_ms INTEGER
) WITHOUT ROWID;
`
}

function readRow(columns: Row): ApiKeyRecord {
  const { id, hash, principal } = columns as Readonly<Record<"id" | "hash" | "principal", string>>
  const scopes = JSON.parse(String(columns["scopes"])) as string[]
  const createdAtMs = Number(columns["created_at_ms"])
  const times = {
    endsAtMs: readMoment(columns["ends_at_ms"]),
    lastUsedAtMs: readMoment(columns["last_used_at_ms"]),
  }
  return { id, hash, principal, scopes, createdAtMs, ...times }
}

/**
 * API keys in a SQLite file on a local disk. Does no I/O before it is used, and makes its table by itself. A revocation is on
 * the disk before the call returns.
 *
 * @returns A store whose methods throw `SealwireError` `ERR_STORE` when the file cannot be read or written.
 * @throws `TypeError` or `RangeError` for a database or an option that is none, or out of range.
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite"
 * import { createApiKeys } from "sealwire/api-keys"
 * import { sqliteApiKeyStore } from "sealwire/stores/sqlite"
 *
 * const apiKeys = createApiKeys({ store: sqliteApiKeyStore(new DatabaseSync("api-keys.db")) })
 * ```
 */
export function sqliteApiKeyStore(
  database: SqliteKeyDatabase,
  options: SqliteApiKeyStoreOptions = {},
): ApiKeyStore {
  assertKeyDatabase(database)
  assertOptions(options, "options", ["table", "busyTimeoutMs"])
  const { table = "sealwire_api_keys", busyTimeoutMs = 1000 } = options
  assertInteger(busyTimeoutMs, "options.busyTimeoutMs", 0, 60_000)
  const sql = { schema: sqliteApiKeySchema(table), ...statementsFor(quote(table)) }
  const use = openStatements(database, sql, busyTimeoutMs, "API key store")
  const records = principalRecords(use, readRow)
  return {
    ...records,
    add({ id, hash, principal, scopes, createdAtMs, endsAtMs = null, lastUsedAtMs = null }) {
      return records.add(id, hash, principal, JSON.stringify(scopes), createdAtMs, endsAtMs, lastUsedAtMs)
    },
    touch(id, usedAtMs) {
      use("touch", (statement) => statement.run(usedAtMs, id))
    },
  }
}
