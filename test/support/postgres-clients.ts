/**
 * Every Postgres client that the store is tested with, connected.
 *
 * @module
 */

import type { PostgresClient } from "../../src/stores/postgres.ts"
import { clientLibrary } from "./store-clients.ts"

/** A client, and how to be rid of it. */
export interface ConnectedPostgres {
  readonly client: PostgresClient
  /** Runs `inside` with the client of a transaction, which is rolled back. */
  rolledBack(inside: (client: PostgresClient) => Promise<void>): Promise<void>
  close(): Promise<void>
}

interface PgSession {
  query(text: string): Promise<{ rows: unknown[] }>
  release(): void
}
interface PgPool {
  query(text: string): Promise<{ rows: unknown[] }>
  connect(): Promise<PgSession>
  on(event: "error", listener: () => void): void
  end(): Promise<void>
}
interface PostgresJs {
  unsafe(text: string): Promise<unknown[]>
  begin(run: (sql: PostgresClient) => Promise<void>): Promise<void>
  end(): Promise<void>
}
interface Pglite {
  exec(text: string): Promise<{ rows: unknown[] }[]>
  transaction(run: (inside: never) => Promise<unknown>): Promise<unknown>
  close(): Promise<void>
}

const ROLLBACK = new Error("the handler failed")

async function connectPg(port: number): Promise<ConnectedPostgres> {
  const { Pool } = clientLibrary("pg") as { Pool: new (options: object) => PgPool }
  const pool = new Pool({ host: "127.0.0.1", port, user: "test", database: "postgres", max: 10 })
  pool.on("error", () => undefined)
  return Promise.resolve({
    client: pool,
    async rolledBack(inside) {
      const session = await pool.connect()
      await session.query("BEGIN")
      await inside(session)
      await session.query("ROLLBACK")
      session.release()
    },
    close: () => pool.end(),
  })
}

async function connectPostgresJs(port: number): Promise<ConnectedPostgres> {
  const postgres = clientLibrary("postgres") as (options: object) => PostgresJs
  const sql = postgres({
    host: "127.0.0.1",
    port,
    user: "test",
    database: "postgres",
    onnotice: () => undefined,
  })
  return Promise.resolve({
    client: sql,
    async rolledBack(inside) {
      const begun = sql.begin(async (transaction) => {
        await inside(transaction)
        throw ROLLBACK
      })
      await begun.catch((error: unknown) => {
        if (error !== ROLLBACK) throw error
      })
    },
    close: () => sql.end(),
  })
}

async function startPglite(): Promise<ConnectedPostgres> {
  const { PGlite } = clientLibrary("@electric-sql/pglite") as { PGlite: new () => Pglite }
  const pglite = new PGlite()
  return Promise.resolve({
    client: pglite,
    async rolledBack(inside) {
      await pglite.exec("BEGIN")
      await inside(pglite)
      await pglite.exec("ROLLBACK")
    },
    close: () => pglite.close(),
  })
}

/** By the name of the package. PGlite is its own server, in this process. */
export const POSTGRES_CLIENTS: Readonly<Record<string, (port: number) => Promise<ConnectedPostgres>>> = {
  pg: connectPg,
  postgres: connectPostgresJs,
  "@electric-sql/pglite": startPglite,
}
