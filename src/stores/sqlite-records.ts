/**
 * Records that end, in a SQLite file: API keys, the signing keys of clients, operations. What their stores have in common: the connection, and
 * statements that are prepared when they are first used.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { describe } from "../base/text.ts"
import { setUpConnection } from "./sqlite-connection.ts"

/** A value in a column. */
export type SqliteValue = string | number | Uint8Array | null

/** A prepared statement, as far as the stores of API keys, signing keys and operations use it. */
export interface SqliteKeyStatement {
  run(...values: SqliteValue[]): { changes: number | bigint }
  /** The first row, with a value for each column, or nothing. */
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

/** An open database of node:sqlite, better-sqlite3 or bun:sqlite. */
export interface SqliteKeyDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteKeyStatement
}

/** Runs one statement; the first sets everything up. */
export type Use<Name extends string> = <Result>(
  name: Name,
  run: (statement: SqliteKeyStatement) => Result,
) => Result

/** The columns of a row, by their names. */
export type Row = Readonly<Record<string, unknown>>

/** A time in a row. */
export const readMoment = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

/**
 * Checks the argument `database`.
 *
 * @throws `TypeError` for what is none.
 */
export function assertKeyDatabase(database: SqliteKeyDatabase): void {
  const members = ((database as unknown) ?? {}) as Readonly<Record<string, unknown>>
  if (typeof members["exec"] === "function" && typeof members["prepare"] === "function") return
  throw new TypeError(
    `database must be one of node:sqlite, better-sqlite3 or bun:sqlite, not ${describe(database)}`,
  )
}

/** The statements of one table; `store` is what it is called in errors. */
export function openStatements<Name extends string>(
  database: SqliteKeyDatabase,
  sql: Readonly<Record<Name | "schema", string>>,
  busyTimeoutMs: number,
  store: string,
): Use<Name> {
  const prepared = new Map<Name, SqliteKeyStatement>()
  return (name, run) => {
    try {
      if (prepared.size === 0) {
        setUpConnection(database, busyTimeoutMs)
        database.exec(sql.schema)
      }
      const statement = prepared.get(name) ?? database.prepare(sql[name])
      prepared.set(name, statement)
      return run(statement)
    } catch (cause) {
      // set up anew next time: the table may be gone
      prepared.clear()
      throw new SealwireError("ERR_STORE", `the ${store} could not use its SQLite file`, { cause })
    }
  }
}

/** What is done alike with the records of principals. */
export type PrincipalStatement = "add" | "find" | "all" | "allOf" | "end"

/** The statements for a table of so many columns, the first of which is `id`. */
export function principalStatements(
  table: string,
  id: string,
  columns: number,
): Readonly<Record<PrincipalStatement, string>> {
  return {
    add: `INSERT INTO ${table} VALUES (${Array(columns).fill("?").join(", ")}) ON CONFLICT DO NOTHING`,
    find: `SELECT * FROM ${table} WHERE ${id} = ?`,
    all: `SELECT * FROM ${table}`,
    allOf: `SELECT * FROM ${table} WHERE principal = ?`,
    end: `UPDATE ${table} SET ends_at_ms = min(coalesce(ends_at_ms, ?), ?) WHERE ${id} = ?`,
  }
}

/** The records of principals: API keys, and the signing keys of clients. */
export interface PrincipalRecords<Held> {
  add(...values: SqliteValue[]): boolean
  find(id: string): Held | undefined
  list(principal?: string): Held[]
  end(id: string, endsAtMs: number): number | undefined
}

/** Does what {@link principalStatements} say. */
export function principalRecords<Held extends { readonly endsAtMs: number | undefined }>(
  use: Use<PrincipalStatement>,
  readRow: (row: Row) => Held,
): PrincipalRecords<Held> {
  const find = (id: string): Held | undefined => {
    const row = use("find", (statement) => statement.get(id))
    return row === undefined || row === null ? undefined : readRow(row as Row)
  }
  return {
    add: (...values) => use("add", (statement) => Number(statement.run(...values).changes) === 1),
    find,
    list(principal) {
      const rows =
        principal === undefined
          ? use("all", (statement) => statement.all())
          : use("allOf", (statement) => statement.all(principal))
      return rows.map((row) => readRow(row as Row))
    },
    end(id, endsAtMs) {
      use("end", (statement) => statement.run(endsAtMs, endsAtMs, id))
      return find(id)?.endsAtMs
    },
  }
}
