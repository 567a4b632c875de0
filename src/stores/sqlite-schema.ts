/**
 * The SQL of the SQLite store: one table, and what is said to it.
 *
 * The row with the empty id is the marker. It holds since when ids are kept, and up to which expiry they were purged. It
 * lies among the ids, so that whoever empties or drops the table takes it away too, and the next claim sees the loss.
 *
 * @module
 */

import { describe } from "../base/text.ts"

/** The marker expires never: purging passes it by. */
const NEVER_MS = 9_000_000_000_000_000

/** Statements of one store. Parameters are plain question marks, in order: all three clients agree on these only. */
export interface SqliteSql {
  readonly schema: string
  /** Gives since when ids are kept, and up to which expiry they were purged. */
  readonly readMarker: string
  /** Parameters: since when. */
  readonly addMarker: string
  /** Parameters: id, expiry. Changes one row if the id is new, none if it is held. */
  readonly claim: string
  /** Parameters: now, most rows. Gives the latest expiry among the rows that the same `purge` deletes. */
  readonly lastToPurge: string
  /** Parameters: up to which expiry. */
  readonly movePurged: string
  /** Parameters: now, most rows. */
  readonly purge: string
}

/**
 * The name of a table, quoted.
 *
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function quote(table: string): string {
  if (typeof table !== "string" || !/^[A-Za-z_]\w{0,62}$/.test(table)) {
    throw new TypeError(
      `table must be 1 to 63 letters, digits and underscores, no digit first, not ${describe(table)}`,
    )
  }
  return `"${table}"`
}

/**
 * The table that {@link sqliteStore} makes, as SQL: for those who keep their schema by migrations. Can be run again.
 *
 * @param table - Its name. Default: `"sealwire_replay"`.
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function sqliteSchema(table = "sealwire_replay"): string {
  const name = quote(table)
  return `CREATE TABLE IF NOT EXISTS ${name} (
  id BLOB PRIMARY KEY NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  known_since_ms INTEGER,
  purged_until_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "${table}_expiry" ON ${name} (expires_at_ms);
`
}

/** The statements for a table. */
export function sqliteSql(table: string): SqliteSql {
  const name = quote(table)
  const expired = `FROM ${name} WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?`
  return {
    schema: sqliteSchema(table),
    readMarker: `SELECT known_since_ms, purged_until_ms FROM ${name} WHERE id = x''`,
    addMarker: `INSERT INTO ${name} VALUES (x'', ${NEVER_MS}, ?, 0)`,
    claim: `INSERT INTO ${name} (id, expires_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING`,
    lastToPurge: `SELECT max(expires_at_ms) FROM (SELECT expires_at_ms ${expired})`,
    movePurged: `UPDATE ${name} SET purged_until_ms = max(purged_until_ms, ?) WHERE id = x''`,
    purge: `DELETE FROM ${name} WHERE id IN (SELECT id ${expired})`,
  }
}
