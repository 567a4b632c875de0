/**
 * SQLite files in a directory of their own, and what a test does to them.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import type { OpenSqlite, OpenSqliteFile } from "./sqlite-clients.ts"

/** One file, opened any number of times. */
export interface SqliteFile {
  readonly path: string
  open(): OpenSqlite
  /** Runs SQL over a connection of its own. */
  exec(sql: string): void
  /** Closes every connection, and removes the file. */
  remove(): void
}

/** Makes the marker of a store a minute older than it is: nothing that is sent now is quarantined. */
export const BACKDATE = "UPDATE sealwire_replay SET known_since_ms = known_since_ms - 60000 WHERE id = x''"

/** A new, empty file. */
export function sqliteFile(openFile: OpenSqliteFile): SqliteFile {
  const directory = mkdtempSync(join(tmpdir(), "sealwire-sqlite-"))
  const path = join(directory, "replay.db")
  const connections: OpenSqlite[] = []
  function open(): OpenSqlite {
    const connection = openFile(path)
    connections.push(connection)
    return connection
  }
  return {
    path,
    open,
    exec(sql) {
      const connection = openFile(path)
      connection.exec("PRAGMA busy_timeout = 2000")
      connection.exec(sql)
      connection.close()
    },
    remove() {
      for (const connection of connections) connection.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
