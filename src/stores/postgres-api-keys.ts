/**
 * API keys in Postgres, shared by every process of a server.
 *
 * @module
 */

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import { withoutSecrets } from "./client-error.ts"
import { type PostgresClient, queryOf } from "./postgres-client.ts"
import { type PostgresTable, qualified } from "./postgres-sql.ts"

const DEFAULT_TABLE = "sealwire_api_keys"
const LAST_MS = Number.MAX_SAFE_INTEGER

/** A text as SQL, in hexadecimal: nothing in it can end the literal. */
function literal(text: string): string {
  const hex = Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0"))
  return `convert_from(decode('${hex.join("")}', 'hex'), 'UTF8')`
}

/** A whole number as SQL. */
function moment(value: number | undefined): string {
  if (value === undefined) return "NULL"
  if (!Number.isSafeInteger(value)) throw new RangeError("a time must be whole milliseconds")
  return `${value}::bigint`
}

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

const NOT_MIGRATED = "42P01"

function unanswered(error: unknown): SealwireError {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  const reason =
    code === NOT_MIGRATED ? "has no table: run migrateApiKeys(client) once" : "could not be asked"
  return new SealwireError("ERR_STORE", `the API key store ${reason}`, { cause: withoutSecrets(error) })
}

/**
 * Makes the table of {@link postgresApiKeyStore}, unless it is there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresApiKeySchema}.
 */
export async function migrateApiKeys(client: PostgresClient, options: PostgresTable = {}): Promise<void> {
  const schema = postgresApiKeySchema(options)
  // one text, so one transaction; the lock, because two that create the same at once fail
  const lock = "SELECT pg_advisory_xact_lock(hashtext('sealwire migrate'));"
  await queryOf(client)(`${lock}\n${schema}`).catch((error: unknown) => {
    throw unanswered(error)
  })
}

const readMoment = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

function readRow(row: unknown): ApiKeyRecord {
  const columns = row as Readonly<Record<string, unknown>>
  const { id, hash, principal } = columns as Readonly<Record<"id" | "hash" | "principal", string>>
  const scopes = JSON.parse(String(columns["scopes"])) as string[]
  // clients give a bigint as text, as a number or as a BigInt
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
  const query = queryOf(client)
  const ask = async (sql: string): Promise<readonly unknown[]> => {
    try {
      return await query(sql)
    } catch (error) {
      throw unanswered(error)
    }
  }
  return {
    async add({ id, hash, principal, scopes, createdAtMs, endsAtMs, lastUsedAtMs }) {
      const texts = [id, hash, principal, JSON.stringify(scopes)].map(literal)
      const values = [...texts, ...[createdAtMs, endsAtMs, lastUsedAtMs].map(moment)]
      const sql = `INSERT INTO ${table} VALUES (${values.join(", ")}) ON CONFLICT DO NOTHING RETURNING id`
      return (await ask(sql)).length === 1
    },
    async find(id) {
      const [row] = await ask(`SELECT * FROM ${table} WHERE id = ${literal(id)}`)
      return row === undefined ? undefined : readRow(row)
    },
    async list(principal) {
      const where = principal === undefined ? "" : ` WHERE principal = ${literal(principal)}`
      return (await ask(`SELECT * FROM ${table}${where}`)).map(readRow)
    },
    async end(id, endsAtMs) {
      const sooner = `least(coalesce(ends_at_ms, ${LAST_MS}), ${moment(endsAtMs)})`
      const [row] = await ask(
        `UPDATE ${table} SET ends_at_ms = ${sooner} WHERE id = ${literal(id)} RETURNING ends_at_ms`,
      )
      return row === undefined ? undefined : Number((row as { ends_at_ms: unknown }).ends_at_ms)
    },
    async touch(id, usedAtMs) {
      const later = `greatest(coalesce(last_used_at_ms, 0), ${moment(usedAtMs)})`
      await ask(`UPDATE ${table} SET last_used_at_ms = ${later} WHERE id = ${literal(id)}`)
    },
  }
}
