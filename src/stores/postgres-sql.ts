/**
 * The SQL of the Postgres store: one table, one function that claims in it, and what is said to them.
 *
 * The row with the empty id is the marker. It holds since when ids are kept, and in which life of the table: the cluster's
 * identifier, its timeline, which a promotion or a restored backup moves on, and the table's own number. A claim reads it
 * in the transaction that inserts the id, and after that: whoever took earlier ids away, and it with them, is seen.
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
  /** Writes the marker anew, unless it is of this life. Without an id, that is all it does. */
  claim(idHex: string | undefined, expiresAtMs: number, sentMs: number, apartMs: number): string
  /** Deletes what expired a while ago, at most `rows`. */
  purge(rows: number): string
}

/** The marker expires never: purging passes it by. */
const NEVER_MS = "9000000000000000"
/** What expired within it is left: a claim that began before a purge ends before the purge could matter. */
const PURGE_AFTER_MS = 60_000
/** Whether a statement is a transaction of its own. */
const IS_ALONE =
  "transaction_timestamp() = statement_timestamp() AND pg_current_xact_id_if_assigned() IS NULL"

const unixMs = (timestamp: string): string => `floor(extract(epoch FROM ${timestamp}) * 1000)::bigint`

function identifier(name: string, argument: string): string {
  if (typeof name !== "string" || !/^[A-Za-z_]\w{0,54}$/.test(name)) {
    throw new TypeError(
      `options.${argument} must be 1 to 55 letters, digits and underscores, no digit first, not ${describe(name)}`,
    )
  }
  return name
}

/** The table, or what is named after it, as SQL names it. */
export function qualified({ table = "sealwire_replay", schema }: PostgresTable, suffix = ""): string {
  const name = `"${identifier(table, "table")}${suffix}"`
  return schema === undefined ? name : `"${identifier(schema, "schema")}".${name}`
}

/** The table and the function as SQL. Can be run again. */
export function schemaSql(where: PostgresTable, unlogged: boolean): string {
  const name = qualified(where)
  return `CREATE ${unlogged ? "UNLOGGED " : ""}TABLE IF NOT EXISTS ${name} (
  id bytea PRIMARY KEY,
  expires_at_ms bigint NOT NULL,
  known_since_ms bigint,
  purged_until_ms bigint,
  life text
);
CREATE INDEX IF NOT EXISTS "${where.table ?? "sealwire_replay"}_expiry" ON ${name} (expires_at_ms);
${functionSql(name, qualified(where, "_claim"))}`
}

/** A function, so that each connection plans a claim once: planning costs as much as all that it does. */
function functionSql(table: string, name: string): string {
  const life = (table: string): string =>
    `concat_ws(':', (SELECT system_identifier FROM pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8), ${table})`
  return `CREATE OR REPLACE FUNCTION ${name}(claimed bytea, expiry_ms bigint, sent_ms bigint, apart_ms bigint,
  OUT verdict text, OUT since text, OUT now text)
LANGUAGE plpgsql
-- a plan that was made for a few rows must not read them all when they are millions
SET enable_seqscan = off
AS $$
DECLARE
  now_ms bigint := ${unixMs("clock_timestamp()")};
  mark ${table}%ROWTYPE;
BEGIN
  now := now_ms;
  verdict := CASE
    WHEN NOT (${IS_ALONE}) THEN 'inside'
    WHEN abs(now_ms - sent_ms) > apart_ms THEN 'apart'
    WHEN expiry_ms <= now_ms THEN 'late' END;
  IF verdict IS NOT NULL THEN RETURN; END IF;
  -- commits wait for the disk even where the server does not: a crash must not lose a claim
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  INSERT INTO ${table} (id, expires_at_ms) SELECT claimed, expiry_ms WHERE claimed IS NOT NULL ON CONFLICT DO NOTHING;
  verdict := CASE WHEN FOUND THEN 'won' ELSE 'held' END;
  SELECT * INTO mark FROM ${table} WHERE id = '' AND life = ${life("tableoid")};
  IF NOT FOUND THEN
    INSERT INTO ${table} AS kept VALUES ('', ${NEVER_MS}, now_ms, 0, ${life(`to_regclass('${table}')::oid`)})
    ON CONFLICT (id) DO UPDATE SET known_since_ms = EXCLUDED.known_since_ms, life = EXCLUDED.life
    WHERE kept.life IS DISTINCT FROM EXCLUDED.life;
    SELECT * INTO mark FROM ${table} WHERE id = '';
  END IF;
  since := mark.known_since_ms;
  IF expiry_ms <= mark.purged_until_ms THEN verdict := 'purged'; END IF;
END $$;
`
}

/** The statements for a table. */
export function postgresSql(where: PostgresTable): PostgresSql {
  const table = qualified(where)
  const name = qualified(where, "_claim")
  return {
    claim: (idHex, expiresAtMs, sentMs, apartMs) => {
      const id = idHex === undefined ? "NULL" : `'\\x${idHex}'`
      return `SELECT * FROM ${name}(${id}, ${expiresAtMs}, ${sentMs}, ${apartMs})`
    },

    purge: (rows) => `WITH doomed AS MATERIALIZED (
  SELECT id, expires_at_ms FROM ${table}
  WHERE (SELECT ${IS_ALONE}) AND expires_at_ms <= ${unixMs("statement_timestamp()")} - ${PURGE_AFTER_MS}
  ORDER BY expires_at_ms LIMIT ${rows} FOR UPDATE SKIP LOCKED
), moved AS (
  UPDATE ${table} SET purged_until_ms = greatest(purged_until_ms, (SELECT max(expires_at_ms) FROM doomed))
  WHERE id = '' AND EXISTS (SELECT FROM doomed)
)
DELETE FROM ${table} WHERE id IN (SELECT id FROM doomed)`,
  }
}
