/**
 * The signing keys of clients in Postgres, shared by every process of a server.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { Jwk } from "../crypto/backend.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
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

const DEFAULT_TABLE = "sealwire_signing_keys"
const NAME: StoreName = { store: "store of signing keys", migrate: "migrateSigningKeys" }

function tableOf(options: PostgresTable): string {
  assertOptions(options, "options", ["table", "schema"])
  return qualified({ table: DEFAULT_TABLE, ...options })
}

/**
 * The table of {@link postgresSigningKeyStore} as SQL, for those who keep their schema by migrations. Can be run again.
 *
 * @throws `TypeError` for an option that is none, or a name that is not letters, digits and underscores.
 */
export function postgresSigningKeySchema(options: PostgresTable = {}): string {
  return `CREATE TABLE IF NOT EXISTS ${tableOf(options)} (
  kid text PRIMARY KEY,
  jwk text NOT NULL,
  principal text NOT NULL,
  scopes text NOT NULL,
  enrolled_at_ms bigint NOT NULL,
  ends_at_ms bigint
);
`
}

/**
 * Makes the table of {@link postgresSigningKeyStore}, unless it is there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresSigningKeySchema}.
 */
export async function migrateSigningKeys(client: PostgresClient, options: PostgresTable = {}): Promise<void> {
  await migrateRecords(client, postgresSigningKeySchema(options), NAME)
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
 * The signing keys of clients in Postgres, by a client that the caller has made. Does no I/O before it is used. Needs its table: run
 * {@link migrateSigningKeys} once.
 *
 * > [!WARNING]
 * > Read from the primary, and give it a pool, not the client of a transaction: a replica that lags behind takes a revoked key,
 * > and a rollback brings one back. Whoever can write to the table can enrol.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the server cannot answer.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import pg from "pg"
 * import { migrateSigningKeys, postgresSigningKeyStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await migrateSigningKeys(pool)
 * const store = postgresSigningKeyStore(pool) // for createSigningKeys of sealwire/server
 * ```
 */
export function postgresSigningKeyStore(
  client: PostgresClient,
  options: PostgresTable = {},
): SigningKeyStore {
  const table = tableOf(options)
  const ask = askerOf(client, NAME)
  return {
    ...principalRecords(ask, table, "kid", readRow),
    async add({ kid, jwk, principal, scopes, enrolledAtMs, endsAtMs }) {
      const texts = [kid, JSON.stringify(jwk), principal, JSON.stringify(scopes)].map(literal)
      const values = [...texts, moment(enrolledAtMs), moment(endsAtMs)]
      const sql = `INSERT INTO ${table} VALUES (${values.join(", ")}) ON CONFLICT DO NOTHING RETURNING kid`
      return (await ask(sql)).length === 1
    },
  }
}
