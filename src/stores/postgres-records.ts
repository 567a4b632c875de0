/**
 * Records that end, in Postgres: API keys, the signing keys of clients, operations. What their tables have in common: values as SQL, ends,
 * errors, and how a table is made.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { withoutSecrets } from "./client-error.ts"
import { type PostgresClient, type Query, queryOf } from "./postgres-client.ts"

/** What a store is called in errors. */
export interface StoreName {
  /** Such as `"API key store"`. */
  readonly store: string
  /** The function that makes its table. */
  readonly migrate: string
}

const LAST_MS = Number.MAX_SAFE_INTEGER

/** A text as SQL, in hexadecimal: nothing in it can end the literal. */
export function literal(text: string): string {
  const hex = Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0"))
  return `convert_from(decode('${hex.join("")}', 'hex'), 'UTF8')`
}

/** A whole number as SQL. */
export function moment(value: number | undefined): string {
  if (value === undefined) return "NULL"
  if (!Number.isSafeInteger(value)) throw new RangeError("a time must be whole milliseconds")
  return `${value}::bigint`
}

/** A time in a row: clients give a bigint as text, as a number or as a BigInt. */
export const readMoment = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

const NOT_MIGRATED = "42P01"

function unanswered(error: unknown, { store, migrate }: StoreName): SealwireError {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  const reason = code === NOT_MIGRATED ? `has no table: run ${migrate}(client) once` : "could not be asked"
  return new SealwireError("ERR_STORE", `the ${store} ${reason}`, { cause: withoutSecrets(error) })
}

/**
 * A client's way to send a text, with its errors told as the store's.
 *
 * @throws `TypeError` for a client that is none.
 */
export function askerOf(client: PostgresClient, name: StoreName): Query {
  const query = queryOf(client)
  return async (sql) => {
    try {
      return await query(sql)
    } catch (error) {
      throw unanswered(error, name)
    }
  }
}

/** Runs a schema that can be run again. Several processes may do so at once. */
export async function migrateRecords(client: PostgresClient, schema: string, name: StoreName): Promise<void> {
  // one text, so one transaction; the lock, because two that create the same at once fail
  const lock = "SELECT pg_advisory_xact_lock(hashtext('sealwire migrate'));"
  await askerOf(client, name)(`${lock}\n${schema}`)
}

/** The columns of a row, by their names. */
export type Row = Readonly<Record<string, unknown>>

/** What is done alike with the records of principals: API keys, and the signing keys of clients. */
export interface PrincipalRecords<Held> {
  find(id: string): Promise<Held | undefined>
  list(principal?: string): Promise<Held[]>
  /** Ends a record, or has it end sooner; gives its end from now on. */
  end(id: string, endsAtMs: number): Promise<number | undefined>
}

/** The records in a table, which has `idColumn`, `principal` and `ends_at_ms`. */
export function principalRecords<Held>(
  ask: Query,
  table: string,
  idColumn: string,
  readRow: (row: Row) => Held,
): PrincipalRecords<Held> {
  return {
    async find(id) {
      const [row] = await ask(`SELECT * FROM ${table} WHERE ${idColumn} = ${literal(id)}`)
      return row === undefined ? undefined : readRow(row as Row)
    },
    async list(principal) {
      const where = principal === undefined ? "" : ` WHERE principal = ${literal(principal)}`
      return (await ask(`SELECT * FROM ${table}${where}`)).map((row) => readRow(row as Row))
    },
    async end(id, endsAtMs) {
      const sooner = `least(coalesce(ends_at_ms, ${LAST_MS}), ${moment(endsAtMs)})`
      const where = `${idColumn} = ${literal(id)}`
      const [row] = await ask(
        `UPDATE ${table} SET ends_at_ms = ${sooner} WHERE ${where} RETURNING ends_at_ms`,
      )
      return row === undefined ? undefined : readMoment((row as Row)["ends_at_ms"])
    },
  }
}
