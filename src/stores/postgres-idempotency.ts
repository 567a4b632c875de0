/**
 * Operations in Postgres, shared by every process of a server. docs/protocol.md §8.3. Each question is one statement, and so a
 * transaction of its own; times are the server's.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import type { IdempotencyStore } from "../idempotency/store.ts"
import type { PostgresClient, Query } from "./postgres-client.ts"
import { askerOf, literal, migrateRecords, type StoreName } from "./postgres-records.ts"
import { type PostgresTable, qualified } from "./postgres-sql.ts"

const DEFAULT_TABLE = "sealwire_operations"
const NAME: StoreName = { store: "idempotency store", migrate: "migrateIdempotency" }

/** Operations between two purges, and rows that one purge deletes: twice as many, so that it keeps up. */
const PURGE_EVERY = 500
const PURGE_ROWS = 2 * PURGE_EVERY
/** How often what was held, and is gone when it is read, is begun again. */
const ATTEMPTS = 3

const NOW_MS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
/** Always true. What was begun must outlive a crash, also where commits do not wait for the disk. */
const IS_DURABLE =
  "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE 'on' END <> ''"

function tableOf(options: PostgresTable): string {
  assertOptions(options, "options", ["table", "schema"])
  return qualified({ table: DEFAULT_TABLE, ...options })
}

/**
 * The table of {@link postgresIdempotencyStore} as SQL, for those who keep their schema by migrations. Can be run again.
 *
 * @throws `TypeError` for an option that is none, or a name that is not letters, digits and underscores.
 */
export function postgresIdempotencySchema(options: PostgresTable = {}): string {
  const table = tableOf(options)
  return `CREATE TABLE IF NOT EXISTS ${table} (
  id text PRIMARY KEY,
  content bytea NOT NULL,
  expires_at_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS "${options.table ?? DEFAULT_TABLE}_expiry" ON ${table} (expires_at_ms);
`
}

/**
 * Makes the table of {@link postgresIdempotencyStore}, unless it is there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresIdempotencySchema}.
 */
export async function migrateIdempotency(client: PostgresClient, options: PostgresTable = {}): Promise<void> {
  await migrateRecords(client, postgresIdempotencySchema(options), NAME)
}

const bytea = (content: Uint8Array): string =>
  `decode('${Array.from(content, (byte) => byte.toString(16).padStart(2, "0")).join("")}', 'hex')`

/** Postgres breaks base64 into lines. */
const bytesOf = (base64: string): Uint8Array =>
  Uint8Array.from(atob(base64.replaceAll("\n", "")), (character) => character.charCodeAt(0))

function readContent(row: unknown): Uint8Array | undefined {
  return row === undefined ? undefined : bytesOf(String((row as { content: unknown }).content))
}

const findSql = (table: string, id: string): string =>
  `SELECT encode(content, 'base64') AS content FROM ${table} WHERE id = ${literal(id)} AND expires_at_ms > ${NOW_MS}`

/** Changes a row, and gives it, where nothing is held, or what is held has expired. */
function beginSql(table: string, id: string, content: Uint8Array, keepSeconds: number): string {
  const end = `${NOW_MS} + ${Math.ceil(keepSeconds * 1000)}`
  return (
    `INSERT INTO ${table} AS held SELECT ${literal(id)}, ${bytea(content)}, ${end} WHERE ${IS_DURABLE} ` +
    `ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content, expires_at_ms = EXCLUDED.expires_at_ms ` +
    `WHERE held.expires_at_ms <= ${NOW_MS} RETURNING 1 AS one`
  )
}

const finishSql = (table: string, id: string, begun: Uint8Array, content: Uint8Array): string =>
  `UPDATE ${table} SET content = ${bytea(content)} WHERE id = ${literal(id)} AND content = ${bytea(begun)} ` +
  `AND expires_at_ms > ${NOW_MS} RETURNING 1 AS one`

const purgeSql = (table: string): string => `WITH doomed AS MATERIALIZED (
  SELECT id FROM ${table} WHERE expires_at_ms <= ${NOW_MS} LIMIT ${PURGE_ROWS} FOR UPDATE SKIP LOCKED
) DELETE FROM ${table} WHERE id IN (SELECT id FROM doomed)`

/**
 * Beside the operations: a purge that fails is none of their business.
 *
 * @returns What is to be called at each of them.
 */
function purger(ask: Query, table: string): () => void {
  let sincePurge = PURGE_EVERY
  return () => {
    if (++sincePurge < PURGE_EVERY) return
    sincePurge = 0
    ask(purgeSql(table)).catch(() => {
      sincePurge = PURGE_EVERY / 2
    })
  }
}

/**
 * Operations in Postgres (13 or later), by a client that the caller has made. Does no I/O before it is used. Needs its table: run
 * {@link migrateIdempotency} once. Records come to it encrypted. An operation that begins is on the server's disk before it is
 * carried out, whatever `synchronous_commit` says.
 *
 * > [!WARNING]
 * > Give it a pool, not the client of a transaction, whose rollback would forget what was begun. A promoted replica, a restored backup
 * > or an emptied table lacks operations, and those are carried out again when they are asked for again: set
 * > `synchronous_standby_names`.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the server cannot answer.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import pg from "pg"
 * import { migrateIdempotency, postgresIdempotencyStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await migrateIdempotency(pool)
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all servers have
 * const idempotency = { store: postgresIdempotencyStore(pool), recordKeys: [recordKey] } // for createEndpoint
 * ```
 */
export function postgresIdempotencyStore(
  client: PostgresClient,
  options: PostgresTable = {},
): IdempotencyStore {
  const table = tableOf(options)
  const ask = askerOf(client, NAME)
  const purgeSometimes = purger(ask, table)
  const find = async (id: string): Promise<Uint8Array | undefined> =>
    readContent((await ask(findSql(table, id)))[0])
  return {
    find,
    async begin(id, content, keepSeconds) {
      purgeSometimes()
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        if ((await ask(beginSql(table, id, content, keepSeconds))).length === 1) return undefined
        const held = await find(id)
        if (held) return held
      }
      throw new SealwireError("ERR_STORE", "the idempotency store holds an operation that it does not show")
    },
    async finish(id, begun, content) {
      return (await ask(finishSql(table, id, begun, content))).length === 1
    },
  }
}
