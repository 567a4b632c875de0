/**
 * The user's own SQLite connection, told by what it can do: how it is set up, and what its rows and errors mean.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { SqliteSql } from "./sqlite-schema.ts"

/** A prepared statement, as far as the store uses it. */
export interface SqliteStatement {
  run(...values: (Uint8Array | number)[]): { changes: number | bigint }
  /** The first row, with a value for each column, or nothing. */
  get(...values: (Uint8Array | number)[]): unknown
}

/** An open database of node:sqlite, better-sqlite3 or bun:sqlite. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** A store's statements, by name. */
export type Prepared = Readonly<Record<Exclude<keyof SqliteSql, "schema">, SqliteStatement>>

/** What setting one up takes, whatever its statements are used for afterwards. */
interface Connection {
  exec(sql: string): unknown
  prepare(sql: string): { get(): unknown }
}

/** Sets up what a claim needs to be durable, and safe beside other processes. */
export function setUpConnection(database: Connection, busyTimeoutMs: number): void {
  database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  const file = readColumn(database, "PRAGMA database_list", 2)
  if (readColumn(database, "PRAGMA journal_mode", 0) !== "wal" && file !== "") {
    try {
      database.exec("PRAGMA journal_mode = WAL")
    } catch (cause) {
      // another process may have been quicker
      if (readColumn(database, "PRAGMA journal_mode", 0) !== "wal") throw cause
    }
    if (readColumn(database, "PRAGMA journal_mode", 0) !== "wal") {
      throw failed("cannot use a write-ahead log on this file: it must lie on a local disk")
    }
  }
  database.exec("PRAGMA synchronous = EXTRA")
}

/** Prepares the statements; the table must be there. */
export function prepareAll(database: SqliteDatabase, { schema: _, ...sql }: SqliteSql): Prepared {
  return Object.fromEntries(
    Object.entries(sql).map(([name, text]) => [name, database.prepare(text)]),
  ) as Prepared
}

/** Ends the transaction of a batch that failed. */
export function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK")
  } catch {
    // SQLite has rolled back by itself, or the connection is closed
  }
}

/** A row's values as numbers, whether the client gives an object or an array, numbers or bigints. */
export function readNumbers(row: unknown): number[] | undefined {
  if (row === undefined || row === null) return undefined
  return Object.values(row).map(Number)
}

function readColumn(database: Connection, sql: string, column: number): string {
  const values: unknown[] = Object.values((database.prepare(sql).get() as object | null) ?? {})
  const value = values[column]
  // not text: what has no file is null to some clients
  return typeof value === "string" ? value : ""
}

/** The error for a store that cannot be used. */
export function failed(reason: string, cause?: unknown): SealwireError {
  return new SealwireError(
    "ERR_STORE",
    `the replay store ${reason}`,
    cause === undefined ? undefined : { cause },
  )
}

/** The error for whatever a client has thrown. */
export function asStoreError(error: unknown): SealwireError {
  if (error instanceof SealwireError) return error
  // SQLite's own words for SQLITE_FULL: each client puts the number elsewhere
  if (error instanceof Error && error.message.includes("database or disk is full")) {
    return new SealwireError("ERR_STORE_FULL", "the replay store's disk is full", { cause: error })
  }
  return failed("could not use its SQLite file", error)
}
