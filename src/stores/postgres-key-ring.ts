/**
 * A key ring in Postgres: one row for each of its texts, changed by compare-and-set in one statement.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import { encodeAscii } from "../base/text.ts"
import type { KeyRingStore, KeyRingText } from "../key-ring/store.ts"
import { withoutSecrets } from "./client-error.ts"
import { type PostgresClient, queryOf } from "./postgres-client.ts"
import { isOvertaken } from "./postgres-errors.ts"
import { qualified, type PostgresTable } from "./postgres-sql.ts"

const DEFAULT_TABLE = "sealwire_key_ring"

/** Commits wait for the disk even where the server does not: a crash must not lose a key. */
const DURABLY = `set_config('synchronous_commit',
  replace(current_setting('synchronous_commit'), 'off', 'on'), true) IS NOT NULL`

/** By SQLSTATE: what can be done about it. */
const ADVICE: Readonly<Partial<Record<string, string>>> = Object.freeze({
  "25006": "is on a replica or in a read-only session: connect to the primary",
  "42P01": "is not there: run migrateKeyRing(client), or the SQL of postgresKeyRingSchema()",
  "42501": "may not be used: grant the role SELECT, INSERT and UPDATE on it",
})

function readTable(options: PostgresTable): string {
  assertOptions(options, "options", ["table", "schema"])
  return qualified({ table: DEFAULT_TABLE, ...options })
}

/** As bytes in hexadecimal: nothing in it can end a literal, whatever the server's settings. */
function toHex(text: string): string {
  return Array.from(encodeAscii(text), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

function fromHex(hex: string): string {
  const pairs = hex.match(/../g) ?? []
  return new TextDecoder().decode(Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)))
}

function failed(error: unknown): SealwireError {
  const code = String((error as { code?: unknown } | undefined)?.code)
  const cause = Object.assign(withoutSecrets(error), { code })
  return new SealwireError("ERR_STORE", `the key ring's table ${ADVICE[code] ?? "could not be asked"}`, {
    cause,
  })
}

/**
 * The table of {@link postgresKeyRingStore} as SQL, for those who keep their schema by migrations. Can be run again.
 *
 * @throws `TypeError` for an option that is none, or a name that is not letters, digits and underscores.
 */
export function postgresKeyRingSchema(options: PostgresTable = {}): string {
  return `CREATE TABLE IF NOT EXISTS ${readTable(options)} (
  name text PRIMARY KEY,
  version bigint NOT NULL,
  body bytea NOT NULL
);
`
}

/**
 * Makes the table of {@link postgresKeyRingStore}, unless it is there. Several processes may do so at once.
 *
 * @throws `SealwireError` `ERR_STORE` when the server does not; `TypeError` as {@link postgresKeyRingSchema}.
 */
export async function migrateKeyRing(client: PostgresClient, options: PostgresTable = {}): Promise<void> {
  const schema = postgresKeyRingSchema(options)
  const lock = "SELECT pg_advisory_xact_lock(hashtext('sealwire migrate'));"
  await queryOf(client)(`${lock}\n${schema}`).catch((error: unknown) => {
    throw failed(error)
  })
}

/**
 * A key ring in Postgres (13 or later), by a client that the caller has made. Does no I/O before it is used. One table holds one
 * ring; run {@link migrateKeyRing} once. Back the table up as you back up keys, and give no other role access to it.
 *
 * > [!WARNING]
 * > Give it a pool, not a client of a transaction, whose rollback would undo what was saved.
 *
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import pg from "pg"
 * import { openKeyRing } from "sealwire/key-ring"
 * import { migrateKeyRing, postgresKeyRingStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await migrateKeyRing(pool)
 * const protection = { passphrase: "correct horse battery staple" }
 * const ring = await openKeyRing({ store: postgresKeyRingStore(pool), protection, create: true })
 * ```
 */
export function postgresKeyRingStore(client: PostgresClient, options: PostgresTable = {}): KeyRingStore {
  const query = queryOf(client)
  const table = readTable(options)

  const saveSql = (name: KeyRingText, text: string, version: number): string => {
    const body = `decode('${toHex(text)}', 'hex')`
    return version === 1
      ? `INSERT INTO ${table} SELECT '${name}', 1, ${body} WHERE ${DURABLY} ON CONFLICT DO NOTHING RETURNING version`
      : `UPDATE ${table} SET version = ${version}, body = ${body}
         WHERE name = '${name}' AND version = ${version - 1} AND ${DURABLY} RETURNING version`
  }
  return {
    async load(name) {
      const sql = `SELECT version, encode(body, 'hex') AS body FROM ${table} WHERE name = '${name}'`
      const [row] = await query(sql).catch((error: unknown) => {
        throw failed(error)
      })
      if (row === undefined) return undefined
      const { version, body } = row as { readonly version: unknown; readonly body: unknown }
      return { version: Number(version), text: fromHex(String(body)) }
    },
    async save(name, text, version) {
      try {
        return (await query(saveSql(name, text, version))).length === 1
      } catch (error) {
        if (isOvertaken(error)) return false
        throw failed(error)
      }
    },
  }
}
