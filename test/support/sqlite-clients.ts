/**
 * Every SQLite client that this runtime has, opened on a file: node:sqlite, bun:sqlite, better-sqlite3.
 *
 * @module
 */

import { createRequire } from "node:module"
import { resolve } from "node:path"

import type { SqliteDatabase } from "../../src/stores/sqlite.ts"

/** An open database. */
export type OpenSqlite = SqliteDatabase & { close(): void }
/** Opens a file, or `":memory:"`. */
export type OpenSqliteFile = (path: string) => OpenSqlite

type DatabaseClass = new (path: string) => OpenSqlite

// by the directory that tests are started in: bundles of this file lie elsewhere
const installed = createRequire(resolve("tools/sqlite/package.json"))
const nodeMajor = Number(process.versions.node.split(".")[0])
const isBun = "bun" in process.versions

/** Node 20 has no SQLite of its own. */
export const BRINGS_SQLITE: boolean = isBun || nodeMajor >= 22

function load(name: string, className?: string): OpenSqliteFile | undefined {
  try {
    const module = installed(name) as Record<string, DatabaseClass>
    const Database = className === undefined ? (module as unknown as DatabaseClass) : module[className]
    return Database && ((path) => new Database(path))
  } catch {
    return undefined
  }
}

/** By name; undefined where it is missing but should be here. Clients of other runtimes are left out. */
export const SQLITE_CLIENTS: Readonly<Record<string, OpenSqliteFile | undefined>> = isBun
  ? { "bun:sqlite": load("bun:sqlite", "Database") }
  : {
      ...(BRINGS_SQLITE ? { "node:sqlite": load("node:sqlite", "DatabaseSync") } : {}),
      "better-sqlite3": load(nodeMajor < 22 ? "better-sqlite3-12" : "better-sqlite3"),
    }

/** The first client that works here. */
export const anySqlite: OpenSqliteFile | undefined = Object.values(SQLITE_CLIENTS).find((open) => open)
