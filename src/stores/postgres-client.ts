/**
 * The user's own Postgres client, told by what it can do: of each, the one way to send a text as a simple query.
 *
 * Simple, because only there the server's two timestamps tell whether a statement is a transaction of its own: in the
 * extended protocol they differ always.
 *
 * @module
 */

import { describe } from "../base/text.ts"

/** A Pool or Client of pg, or what is compatible to it. */
export interface PgClient {
  query(text: string): Promise<{ rows: unknown[] }>
}

/** postgres.js, as `postgres(url)` gives it. */
export interface PostgresJsClient {
  unsafe(text: string): PromiseLike<Iterable<unknown>>
}

/** PGlite. */
export interface PgliteClient {
  exec(text: string): Promise<{ rows: unknown[] }[]>
  transaction(run: (inside: never) => Promise<unknown>): Promise<unknown>
}

/** A client of one of the known kinds. */
export type PostgresClient = PgClient | PostgresJsClient | PgliteClient

/** Sends a text, and gives the rows of its last statement. */
export type Query = (text: string) => Promise<readonly unknown[]>

/** PGlite's timestamps are of milliseconds, so it needs another proof. Fails within a transaction: "invalid transaction termination". */
const ASSERT_ALONE = "DO $$ BEGIN COMMIT; END $$"

/**
 * Reduces a client to sending texts.
 *
 * @throws `TypeError` when it has none of the methods that this needs.
 */
export function queryOf(client: PostgresClient): Query {
  if (has(client, "unsafe")) {
    const sql = client as PostgresJsClient
    return async (text) => [...(await sql.unsafe(text))]
  }
  // with transaction: a PGlite inside one has none
  if (has(client, "exec", "transaction")) {
    const pglite = client as PgliteClient
    return async (text) => {
      // sent together, so that nobody begins a transaction between them
      const [, results] = await Promise.all([pglite.exec(ASSERT_ALONE), pglite.exec(text)])
      return results.at(-1)?.rows ?? []
    }
  }
  if (has(client, "query") && !has(client, "exec")) {
    const pg = client as PgClient
    return async (text) => {
      const result = await pg.query(text)
      const last = Array.isArray(result) ? (result as (typeof result)[]).at(-1) : result
      return last?.rows ?? []
    }
  }
  throw new TypeError(
    `client must be a client of pg, postgres.js or PGlite, and of no transaction, not ${describe(client)}`,
  )
}

function has(client: unknown, ...methods: string[]): boolean {
  const members = (client ?? {}) as Readonly<Record<string, unknown>>
  return methods.every((method) => typeof members[method] === "function")
}
