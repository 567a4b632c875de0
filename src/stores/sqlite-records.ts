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
