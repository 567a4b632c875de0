/**
 * Sessions in Postgres, shared by every process of a fleet: `postgresSessionStore` of `sealwire/stores/postgres`. docs/protocol.md §6.
 * Each question is one statement, and so a transaction of its own; what is added is counted under a lock.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { SessionStore } from "../session/session-store.ts"
import { type PostgresClient, queryOf } from "./postgres-client.ts"
import { fullOf, odd, unanswered } from "./session-errors.ts"

/** Where the tables of {@link postgresSessionStore} are. */
export interface PostgresSessionTable {
  /** Letters, digits and underscores; the second table is named after it. Default: `"sealwire_sessions"`. */
  readonly table?: string
}

/** Rows that one sweep deletes. */
const SWEEP_ROWS = 1000

function tableOf(options: PostgresSessionTable): string {
  assertOptions(options, "options", ["table"])
  const { table = "sealwire_sessions" } = options
  if (typeof table === "string" && /^[A-Za-z_]\w{0,49}$/.test(table)) return table
  throw new TypeError(
    `options.table must be 1 to 50 letters, digits and underscores, no digit first, not ${describe(table)}`,
  )
}

/**
 * The tables and the function of {@link postgresSessionStore} as SQL. Can be run again.
 *
 * @throws `TypeError` for a name that is not letters, digits and underscores.
 */
export function postgresSessionSchema(options: PostgresSessionTable = {}): string {
  const table = tableOf(options)
  return `CREATE TABLE IF NOT EXISTS "${table}" (
  id text PRIMARY KEY,
  state text NOT NULL,
  content bytea NOT NULL,
  ends_at_ms bigint NOT NULL,
  principal text,
  opened_at_ms bigint
);
CREATE INDEX IF NOT EXISTS "${table}_ends" ON "${table}" (ends_at_ms);
CREATE INDEX IF NOT EXISTS "${table}_offers" ON "${table}" (ends_at_ms) WHERE state = 'offered';
CREATE INDEX IF NOT EXISTS "${table}_principals" ON "${table}" (principal) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS "${table}_keys" (
  key_id text PRIMARY KEY,
  session_id text NOT NULL,
  ends_at_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS "${table}_keys_ends" ON "${table}_keys" (ends_at_ms);
CREATE OR REPLACE FUNCTION "${table}_add"(new_id text, new_content bytea, new_ends_ms bigint, new_key text, key_ends_ms bigint,
  max_sessions bigint, max_offers bigint, now_ms bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  -- one at a time, or two would both see the last place
  PERFORM pg_advisory_xact_lock(hashtext('${table}'));
  IF (SELECT count(*) FROM "${table}" WHERE state = 'offered' AND ends_at_ms > now_ms) >= max_offers THEN
    RETURN 'offers';
  END IF;
  IF (SELECT count(*) FROM "${table}" WHERE ends_at_ms > now_ms) >= max_sessions THEN RETURN 'sessions'; END IF;
  INSERT INTO "${table}" (id, state, content, ends_at_ms) VALUES (new_id, 'offered', new_content, new_ends_ms);
  IF new_key IS NOT NULL THEN INSERT INTO "${table}_keys" VALUES (new_key, new_id, key_ends_ms); END IF;
  RETURN 'added';
END $$;
`
}

/** Text as SQL has it; only what the protocol allows in ids comes here. */
function literal(text: string): string {
  if (!/^[\w-]{1,64}$/.test(text)) throw new TypeError("an id must be base64url")
  return `'${text}'`
}

/** Whole milliseconds as SQL has them. */
function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new TypeError("a time must be whole milliseconds")
  return String(value)
}

const hexOf = (content: Uint8Array): string =>
  Array.from(content, (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * A session store in Postgres (13 or later), by a client that the caller has made. Does no I/O before it is used.
 *
 * Needs its tables: run the SQL of {@link postgresSessionSchema} once. Records come to it encrypted.
 *
 * > [!WARNING]
 * > Give it a pool, and no client of a transaction: a rollback would undo what was answered.
 *
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import pg from "pg"
 * import { generateSigningKeyPair } from "sealwire/keys"
 * import { createSessions } from "sealwire/session"
 * import { postgresSessionSchema, postgresSessionStore } from "sealwire/stores/postgres"
 *
 * const pool = new pg.Pool({ host: "127.0.0.1" })
 * await pool.query(postgresSessionSchema())
 * const { signingKey: identity } = await generateSigningKeyPair()
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all servers have
 * const sessions = createSessions({ identity, store: postgresSessionStore(pool), recordKeys: [recordKey] })
 * ```
 */
export function postgresSessionStore(
  client: PostgresClient,
  options: PostgresSessionTable = {},
): SessionStore {
  const name = tableOf(options)
  const query = queryOf(client)
  const ask: Tables["ask"] = async (sql) => {
    try {
      return (await query(sql)) as readonly Row[]
    } catch (error) {
      throw unanswered(error)
    }
  }
  const tables: Tables = {
    name,
    table: `"${name}"`,
    keys: `"${name}_keys"`,
    ask,
    changed: async (sql) => (await ask(`${sql} RETURNING 1 AS one`)).length,
  }
  return { ...writesTo(tables), ...readsFrom(tables), ...endsIn(tables) }
}

type Row = Readonly<Record<string, unknown>>

/** The two tables, and how they are asked. */
interface Tables {
  readonly name: string
  readonly table: string
  readonly keys: string
  readonly ask: (sql: string) => Promise<readonly Row[]>
  /** Gives how many rows a statement has changed. */
  readonly changed: (sql: string) => Promise<number>
}

function writesTo({ name, table, ask, changed }: Tables): Pick<SessionStore, "add" | "open" | "touch"> {
  return {
    async add(id, { content, key, endsAtMs }, { maxSessions, maxPendingOffers }, nowMs) {
      const named = key ? `${literal(key.id)}, ${integer(key.endsAtMs)}` : "NULL, NULL"
      const limits = `${integer(maxSessions)}, ${integer(maxPendingOffers)}`
      const offer = `${literal(id)}, '\\x${hexOf(content)}', ${integer(endsAtMs)}`
      const [row] = await ask(
        `SELECT "${name}_add"(${offer}, ${named}, ${limits}, ${integer(nowMs)}) AS verdict`,
      )
      const verdict = row?.["verdict"]
      if (verdict === "offers" || verdict === "sessions") throw fullOf(verdict)
      if (verdict !== "added") throw odd()
    },
    async open(id, { content, principal, openedAtMs, endsAtMs }, nowMs) {
      const who = principal === undefined ? "NULL" : literal(principal)
      const opened = await changed(
        `UPDATE ${table} SET state = 'open', content = '\\x${hexOf(content)}', ends_at_ms = ${integer(endsAtMs)}, ` +
          `principal = ${who}, opened_at_ms = ${integer(openedAtMs)} ` +
          `WHERE id = ${literal(id)} AND state = 'offered' AND ends_at_ms > ${integer(nowMs)}`,
      )
      return opened === 1
    },
    async touch(id, endsAtMs, nowMs) {
      const touched = await changed(
        `UPDATE ${table} SET ends_at_ms = greatest(ends_at_ms, ${integer(endsAtMs)}) ` +
          `WHERE id = ${literal(id)} AND state = 'open' AND ends_at_ms > ${integer(nowMs)}`,
      )
      return touched === 1
    },
  }
}

function readsFrom({ table, keys, ask }: Tables): Pick<SessionStore, "find" | "idOfKey" | "list"> {
  return {
    async find(id, nowMs) {
      const [row] = await ask(
        `SELECT state, encode(content, 'base64') AS content, ends_at_ms::text AS ends FROM ${table} ` +
          `WHERE id = ${literal(id)} AND ends_at_ms > ${integer(nowMs)}`,
      )
      if (!row) return undefined
      const { state, content, ends } = row
      if ((state !== "offered" && state !== "open") || typeof content !== "string") throw odd()
      return { state, content: bytesOf(content), endsAtMs: Number(ends) }
    },
    async idOfKey(keyId, nowMs) {
      const [row] = await ask(
        `SELECT session_id AS id FROM ${keys} WHERE key_id = ${literal(keyId)} AND ends_at_ms > ${integer(nowMs)}`,
      )
      return row && String(row["id"])
    },
    async list(principal, nowMs) {
      const whose = principal === undefined ? "" : `AND principal = ${literal(principal)}`
      const rows = await ask(
        `SELECT id, principal, opened_at_ms::text AS opened, ends_at_ms::text AS ends FROM ${table} ` +
          `WHERE state = 'open' AND ends_at_ms > ${integer(nowMs)} ${whose}`,
      )
      return rows.map((row) => ({
        id: String(row["id"]),
        principal: typeof row["principal"] === "string" ? row["principal"] : undefined,
        openedAtMs: Number(row["opened"]),
        endsAtMs: Number(row["ends"]),
      }))
    },
  }
}

function endsIn({ table, keys, ask, changed }: Tables): Pick<SessionStore, "end" | "endAll" | "sweep"> {
  return {
    end: async (id) => (await changed(`DELETE FROM ${table} WHERE id = ${literal(id)}`)) === 1,
    endAll: (principal) => changed(`DELETE FROM ${table} WHERE principal = ${literal(principal)}`),
    async sweep(nowMs) {
      for (const [from, column] of [
        [table, "id"],
        [keys, "key_id"],
      ]) {
        const hasEnded = `ends_at_ms <= ${integer(nowMs)}`
        const ended = `SELECT ${column} FROM ${from} WHERE ${hasEnded} LIMIT ${SWEEP_ROWS}`
        // once more, for what is touched in another transaction meanwhile: only this one is asked again
        await ask(`DELETE FROM ${from} WHERE ${column} IN (${ended}) AND ${hasEnded}`)
      }
      const [row] = await ask(
        `SELECT CASE WHEN EXISTS (SELECT FROM ${table}) OR EXISTS (SELECT FROM ${keys}) THEN 1 ELSE 0 END AS more`,
      )
      return Number(row?.["more"]) === 1
    },
  }
}

/** Postgres breaks base64 into lines. */
function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64.replaceAll("\n", "")), (character) => character.charCodeAt(0))
}
