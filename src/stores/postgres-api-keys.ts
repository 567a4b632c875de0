/**
 * API keys in Postgres, shared by every process of a server.
 *
 * @module
 */

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { assertOptions } from "../base/options.ts"
import type { PostgresClient } from "./postgres-client.ts"
import {
  askerOf,
  literal,
  migrateRecords,
  moment,
  principalRecords,
  readMoment,
  type Row,
  type StoreName,
} from "./postgres-records.ts"
import { type PostgresTable, qualified } from "./postgres-sql.ts"

const DEFAULT_TABLE = "sealwire_api_keys"
const NAME: StoreName = { store: "API key store", migrate: "migrateApiKeys" }

function tableOf(options: PostgresTable): string {
  assertOptions(options, "options", ["table", "schema"])
  return qualified({ table: DEFAULT_TABLE, ...options })
}

/**
 * The table of {@link postgresApiKeyStore} as SQL, for those who keep their schema by migrations. Can be run again.
 *
 * @throws `TypeError` for an option that is none, or a name that is not letters, digits and underscores.
 */
export function postgresApiKeySchema(options: PostgresTable = {}): string {
  return `CREATE TABLE IF NOT EXISTS ${tableOf(options)} (
  id text PRIMARY KEY,
  hash text NOT NULL,
  principal text NOT NULL,
  scopes text NOT NULL,
  created_at_ms bigint NOT NULL,
  ends_at_ms bigint,
  last_used_at_ms bigint
);
`
}

/**
 * Makes the table of {@link postgresApiKeyStore}, unless it is there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresApiKeySchema}.
 */
export async function migrateApiKeys(client: PostgresClient, options: PostgresTable = {}): Promise<void> {
  await migrateRecords(client, postgresApiKeySchema(options), NAME)
}

function readRow(columns: Row): ApiKeyRecord {
  const { id, hash, principal } = columns as Readonly<Record<"id" | "hash" | "principal", string>>
  const scopes = JSON.parse(String(columns["scopes"])) as string[]
  const createdAtMs = Number(columns["created_at_ms"])
  const endsAtMs = readMoment(columns["ends_at_ms"])
  return {
    id,
    hash,
    principal,
    scopes,
    createdAtMs,
    endsAtMs,
    lastUsedAtMs: readMoment(columns["last_used_at_ms"]),
  }
}

/**
 * API keys in Postgres, by a client that the caller has made. Does no I/O before it is used. Needs its table: run
 * {@link migrateApiKeys} once.
 *
 * > [!WARNING]
 * > Read from the primary, and give it a pool, not the client of a transaction: a replica that lags behind takes a revoked key,
 * > and a rollback brings one back.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the server cannot answer.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import pg from "pg"
 * import { createApiKeys } from "sealwire/api-keys"
 * import { migrateApiKeys, postgresApiKeyStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await migrateApiKeys(pool)
 * const apiKeys = createApiKeys({ store: postgresApiKeyStore(pool) })
 * ```
 */
export function postgresApiKeyStore(client: PostgresClient, options: PostgresTable = {}): ApiKeyStore {
  const table = tableOf(options)
  const ask = askerOf(client, NAME)
  return {
    ...principalRecords(ask, table, "id", readRow),
    async add({ id, hash, principal, scopes, createdAtMs, endsAtMs, lastUsedAtMs }) {
      const texts = [id, hash, principal, JSON.stringify(scopes)].map(literal)
      const values = [...texts, ...[createdAtMs, endsAtMs, lastUsedAtMs].map(moment)]
      const sql = `INSERT INTO ${table} VALUES (${values.join(", ")}) ON CONFLICT DO NOTHING RETURNING id`
      return (await ask(sql)).length === 1
    },
    async touch(id, usedAtMs) {
      const later = `greatest(coalesce(last_used_at_ms, 0), ${moment(usedAtMs)})`
      await ask(`UPDATE ${table} SET last_used_at_ms = ${later} WHERE id = ${literal(id)}`)
    },
  }
}
