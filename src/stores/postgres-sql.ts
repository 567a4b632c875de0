/**
 * The SQL of the Postgres store: one table, and three statements, each a transaction of its own.
 *
 * The row with the empty id is the marker. It holds since when ids are kept, and in which life of the table: the cluster's
 * identifier, its timeline, which a promotion or a restored backup moves on, and the table's own number. A claim reads it
 * in the statement that inserts the id, so there is no moment between a loss and its discovery.
 *
 * @module
 */

import { describe } from "../base/text.ts"

/** Where the table is. */
export interface PostgresTable {
  /** Letters, digits and underscores. Default: `"sealwire_replay"`. */
  readonly table?: string
  /** Letters, digits and underscores. Default: the first of the connection's `search_path`. */
  readonly schema?: string
}

/** The statements of one store. Times are Unix milliseconds; `sentMs` is the caller's, `apartMs` how far the server's may be. */
export interface PostgresSql {
  claim(idHex: string, expiresAtMs: number, sentMs: number, apartMs: number): string
  /** Writes the marker anew, unless it is of this life. */
  mark(sentMs: number, apartMs: number): string
  /** Deletes what expired a while ago, at most `rows`. */
  purge(rows: number): string
}

/** The marker expires never: purging passes it by. */
const NEVER_MS = "9000000000000000"
/** What expired within it is left: a claim that began before a purge ends before the purge could matter. */
const PURGE_AFTER_MS = 60_000

function identifier(name: string, argument: string): string {
  if (typeof name !== "string" || !/^[A-Za-z_]\w{0,54}$/.test(name)) {
    throw new TypeError(
      `options.${argument} must be 1 to 55 letters, digits and underscores, no digit first, not ${describe(name)}`,
    )
  }
  return `"${name}"`
}

function qualified({ table = "sealwire_replay", schema }: PostgresTable): string {
  const name = identifier(table, "table")
  return schema === undefined ? name : `${identifier(schema, "schema")}.${name}`
}

/** The table as SQL. Can be run again. */
export function tableSql(where: PostgresTable, unlogged: boolean): string {
  const name = qualified(where)
  return `CREATE ${unlogged ? "UNLOGGED " : ""}TABLE IF NOT EXISTS ${name} (
  id bytea PRIMARY KEY,
  expires_at_ms bigint NOT NULL,
  known_since_ms bigint,
  purged_until_ms bigint,
  life text
);
CREATE INDEX IF NOT EXISTS "${where.table ?? "sealwire_replay"}_expiry" ON ${name} (expires_at_ms);
`
}

/** What the server says about itself, and whether the statement is a transaction of its own. */
function hereSql(name: string): string {
  // commits wait for the disk even where the server does not: a crash must not lose a claim
  return `here AS MATERIALIZED (
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms,
    concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
      left(pg_walfile_name(pg_current_wal_lsn()), 8), '${name}'::regclass::oid) AS life,
    transaction_timestamp() = statement_timestamp() AND pg_current_xact_id_if_assigned() IS NULL AS is_alone,
    CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
)`
}

/** The statements for a table. */
export function postgresSql(where: PostgresTable): PostgresSql {
  const name = qualified(where)
  const marker = `SELECT * FROM ${name} WHERE id = ''`
  const here = hereSql(name)
  const refusals = (sentMs: number, apartMs: number): string => `WHEN NOT is_alone THEN 'inside'
    WHEN abs(now_ms - ${sentMs}) > ${apartMs} THEN 'apart'`

  return {
    claim: (idHex, expiresAtMs, sentMs, apartMs) => `WITH ${here}, judged AS MATERIALIZED (
  SELECT now_ms, known_since_ms, CASE ${refusals(sentMs, apartMs)}
    WHEN mark.life IS DISTINCT FROM here.life THEN 'lost'
    WHEN ${expiresAtMs} <= now_ms THEN 'late'
    WHEN ${expiresAtMs} <= purged_until_ms THEN 'purged'
    ELSE 'fit' END AS verdict
  FROM here LEFT JOIN (${marker}) AS mark ON true
), won AS (
  INSERT INTO ${name} (id, expires_at_ms)
  SELECT decode('${idHex}', 'hex'), ${expiresAtMs} FROM judged WHERE verdict = 'fit'
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT CASE WHEN verdict <> 'fit' THEN verdict WHEN EXISTS (SELECT FROM won) THEN 'won' ELSE 'held' END AS verdict,
  known_since_ms::text AS since, now_ms::text AS now
FROM judged`,

    mark: (sentMs, apartMs) => `WITH ${here}, judged AS MATERIALIZED (
  SELECT now_ms, life, CASE ${refusals(sentMs, apartMs)} ELSE 'marked' END AS verdict FROM here
), marked AS (
  INSERT INTO ${name} AS kept
  SELECT '', ${NEVER_MS}, now_ms, 0, life FROM judged WHERE verdict = 'marked'
  ON CONFLICT (id) DO UPDATE SET known_since_ms = EXCLUDED.known_since_ms, life = EXCLUDED.life
  WHERE kept.life IS DISTINCT FROM EXCLUDED.life RETURNING known_since_ms
)
SELECT verdict, now_ms::text AS now,
  coalesce((SELECT known_since_ms FROM marked), (SELECT known_since_ms FROM (${marker}) AS mark))::text AS since
FROM judged`,

    purge: (rows) => `WITH ${here}, doomed AS MATERIALIZED (
  SELECT id, expires_at_ms FROM ${name}
  WHERE expires_at_ms <= (SELECT now_ms - ${PURGE_AFTER_MS} FROM here WHERE is_alone)
  ORDER BY expires_at_ms LIMIT ${rows} FOR UPDATE SKIP LOCKED
), moved AS (
  UPDATE ${name} SET purged_until_ms = greatest(purged_until_ms, (SELECT max(expires_at_ms) FROM doomed))
  WHERE id = '' AND EXISTS (SELECT FROM doomed)
)
DELETE FROM ${name} WHERE id IN (SELECT id FROM doomed)`,
  }
}
