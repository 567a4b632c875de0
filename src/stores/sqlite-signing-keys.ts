/**
 * The signing keys of clients in a SQLite file, shared by the processes of one machine.
 *
 * @module
 */

import { assertInteger, assertOptions } from "../base/options.ts"
import type { Jwk } from "../crypto/backend.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
import {
  assertKeyDatabase,
  openStatements,
  principalRecords,
  principalStatements,
  readMoment,
  type Row,
  type SqliteKeyDatabase,
} from "./sqlite-records.ts"
import { quote } from "./sqlite-schema.ts"

/** Options of {@link sqliteSigningKeyStore}. */
export interface SqliteSigningKeyStoreOptions {
  /** The store's table: letters, digits and underscores. Default: `"sealwire_signing_keys"`. */
  readonly table?: string
  /** Longest wait for another process's write, in milliseconds: 0 to 60,000. Default: 1,000. The event loop stands still meanwhile. */
  readonly busyTimeoutMs?: number
}

const COLUMNS = 6

/**
 * The table that {@link sqliteSigningKeyStore} makes, as SQL: for those who keep their schema by migrations. Can be run again.
 *
 * @param table - Its name. Default: `"sealwire_signing_keys"`.
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function sqliteSigningKeySchema(table = "sealwire_signing_keys"): string {
  return `CREATE TABLE IF NOT EXISTS ${quote(table)} (
  kid TEXT PRIMARY KEY NOT NULL,
  jwk TEXT NOT NULL,
  principal TEXT NOT NULL,
  scopes TEXT NOT NULL,
  enrolled_at_ms INTEGER NOT NULL,
  ends_at_ms INTEGER
) WITHOUT ROWID;
`
}

function readRow(columns: Row): SigningKeyRecord {
  const { kid, principal } = columns as Readonly<Record<"kid" | "principal", string>>
  return {
    kid,
    jwk: JSON.parse(String(columns["jwk"])) as Jwk,
    principal,
    scopes: JSON.parse(String(columns["scopes"])) as string[],
    enrolledAtMs: Number(columns["enrolled_at_ms"]),
    endsAtMs: readMoment(columns["ends_at_ms"]),
  }
}

/**
 * The signing keys of clients in a SQLite file on a local disk. Does no I/O before it is used, and makes its table by itself. A
 * revocation is on the disk before the call returns. Whoever can write to the file can enrol.
 *
 * @returns A store whose methods throw `SealwireError` `ERR_STORE` when the file cannot be read or written.
 * @throws `TypeError` or `RangeError` for a database or an option that is none, or out of range.
 * @example
 * ```ts
 * import { DatabaseSync } from "node:sqlite"
 * import { sqliteSigningKeyStore } from "sealwire/stores/sqlite"
 *
 * const store = sqliteSigningKeyStore(new DatabaseSync("signing-keys.db")) // for createSigningKeys of sealwire/server
 * ```
 */
export function sqliteSigningKeyStore(
  database: SqliteKeyDatabase,
  options: SqliteSigningKeyStoreOptions = {},
): SigningKeyStore {
  assertKeyDatabase(database)
  assertOptions(options, "options", ["table", "busyTimeoutMs"])
  const { table = "sealwire_signing_keys", busyTimeoutMs = 1000 } = options
  assertInteger(busyTimeoutMs, "options.busyTimeoutMs", 0, 60_000)
  const sql = { schema: sqliteSigningKeySchema(table), ...principalStatements(quote(table), "kid", COLUMNS) }
  const use = openStatements(database, sql, busyTimeoutMs, "store of signing keys")
  const records = principalRecords(use, readRow)
  return {
    ...records,
    add({ kid, jwk, principal, scopes, enrolledAtMs, endsAtMs = null }) {
      const texts = [JSON.stringify(jwk), principal, JSON.stringify(scopes)]
      return records.add(kid, ...texts, enrolledAtMs, endsAtMs)
    },
  }
}
