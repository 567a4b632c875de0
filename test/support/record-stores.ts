/**
 * What holds for each kind of records that a server keeps (API keys, signing keys, operations) in each database and client that is
 * installed: its contract, and what its stores say when they cannot work.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import type { PostgresClient } from "../../src/stores/postgres.ts"
import type { RedisClient } from "../../src/stores/redis.ts"
import type { SqliteKeyDatabase } from "../../src/stores/sqlite.ts"
import type { ContractCase } from "../../src/testing.ts"
import { notRun } from "./not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "./postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "./postgres-server.ts"
import { type Connected, REDIS_CLIENTS } from "./redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "./redis-server.ts"
import { SQLITE_CLIENTS } from "./sqlite-clients.ts"
import { sqliteFile } from "./sqlite-files.ts"
import { clientLibrary } from "./store-clients.ts"

type MaybePromise<T> = T | Promise<T>

/** A kind of records, and its stores. */
export interface RecordKind<Store> {
  /** What begins the names of its tests, such as `"API keys"`. */
  readonly name: string
  contract(options: {
    create: () => MaybePromise<Store>
    reopen: () => MaybePromise<Store>
  }): readonly ContractCase[]
  /** Has a store asked for something. */
  ask(store: Store): unknown
  /** The name of the tables, unless another is given. */
  readonly table: string
  sqlite(database: SqliteKeyDatabase): Store
  sqliteSchema(table?: string): string
  redis(client: RedisClient, options: { prefix: string }): Store
  postgres(client: PostgresClient, options: { table: string }): Store
  postgresSchema(options: { schema?: string; table?: string }): string
  readonly migrate: (client: PostgresClient, options: { table: string }) => Promise<void>
}

/** What more is tested with a client can use. */
export interface WithClient<Store> {
  /** Of the client. */
  readonly client: string
  /** Another handle on the same records. */
  create(): MaybePromise<Store>
}

const ask = async <Store>(kind: RecordKind<Store>, store: Store): Promise<unknown> => kind.ask(store)

function testContract<Store>({ contract }: RecordKind<Store>, create: () => MaybePromise<Store>): void {
  for (const { name, run } of contract({ create, reopen: create })) test(name, run)
}

/** In SQLite, with each client. */
export function testInSqlite<Store>(
  kind: RecordKind<Store>,
  testMore: (more: WithClient<Store> & { open(): SqliteKeyDatabase }) => void,
): void {
  for (const [client, openFile] of Object.entries(SQLITE_CLIENTS)) {
    if (!openFile) {
      notRun(`${kind.name} in SQLite with ${client}`, client)
      continue
    }
    describe(`${kind.name} in SQLite with ${client}`, () => {
      const file = sqliteFile(openFile)
      const open = (): SqliteKeyDatabase => file.open() as unknown as SqliteKeyDatabase
      const create = (): Store => kind.sqlite(open())
      afterAll(() => {
        file.remove()
      })
      testContract(kind, create)
      testMore({ client, create, open })

      test("say ERR_STORE where the file is no database, and go on once it is one", async () => {
        const database = open()
        const exec = vi.spyOn(database, "exec").mockImplementationOnce(() => {
          throw new Error("file is not a database")
        })
        const store = kind.sqlite(database)
        await expect(ask(kind, store)).rejects.toMatchObject({ code: "ERR_STORE" })
        exec.mockRestore()
        await ask(kind, store)
      })
    })
  }
}

/** In Redis, with each client; and what takes no server. */
export function testInRedis<Store>(
  kind: RecordKind<Store>,
  testMore: (more: WithClient<Store>) => void = () => undefined,
): void {
  describe(`${kind.name} in Redis`, () => {
    let server: RedisServer
    const serverMissing = !hasRedisServer()
    beforeAll(async () => {
      if (!serverMissing) server = await startRedisServer()
    })
    afterAll(() => (serverMissing ? undefined : server.close()))
    for (const [client, connect] of Object.entries(REDIS_CLIENTS)) {
      const missing = serverMissing ? "redis-server" : clientLibrary(client) === undefined && client
      if (missing) {
        notRun(`${kind.name} in Redis with ${client}`, missing)
        continue
      }
      describe(`with ${client}`, () => {
        const open: Connected[] = []
        const create = async (): Promise<Store> => {
          const connected = await connect(server.port)
          open.push(connected)
          return kind.redis(connected.client, { prefix: client.replace(/\W/g, "") })
        }
        afterAll(async () => {
          for (const { close } of open) await close()
        })
        testContract(kind, create)
        testMore({ client, create })
      })
    }
    testRefusals(kind)
  })
}

/** What a store in Redis throws where the server says this. */
export function refusalOf<Store>(kind: RecordKind<Store>, message: string): Promise<unknown> {
  const fail = (): Promise<never> => Promise.reject(new Error(message))
  const store = kind.redis({ evalsha: fail, eval: fail }, { prefix: "a" })
  return ask(kind, store).catch((thrown: unknown) => thrown)
}

function testRefusals<Store>(kind: RecordKind<Store>): void {
  test("say ERR_STORE, without the server's address, where it does not answer", async () => {
    const refusal = await refusalOf(kind, "connect ECONNREFUSED redis://user:pw@db:6379")
    expect(refusal).toMatchObject({ code: "ERR_STORE" })
    expect(String((refusal as Error).cause)).not.toContain("pw")
  })

  test.each([[{ prefix: "a b" }], [{ prefix: "{a}" }], [{ prefix: "a", table: "b" }], [{}]])(
    "are refused %o",
    (options) => {
      const client = { evalsha: vi.fn(), eval: vi.fn() }
      expect(() => kind.redis(client, options as { prefix: string })).toThrow(TypeError)
    },
  )
}

/** In Postgres, with each client. */
export function testInPostgres<Store>(
  kind: RecordKind<Store>,
  testMore: (
    more: WithClient<Store> & {
      readonly table: string
      connected(): ConnectedPostgres
      server(): PostgresServer
    },
  ) => void = () => undefined,
): void {
  describe(`${kind.name} in Postgres`, { timeout: 120_000 }, () => {
    let server: PostgresServer
    beforeAll(async () => {
      if (hasPostgresServer) server = await startPostgresServer()
    }, 60_000)
    afterAll(() => (hasPostgresServer ? server.close() : undefined))
    for (const [client, connect] of Object.entries(POSTGRES_CLIENTS)) {
      const missing = hasPostgresServer ? clientLibrary(client) === undefined && client : "postgres"
      if (missing) {
        notRun(`${kind.name} in Postgres with ${client}`, missing)
        continue
      }
      describe(`with ${client}`, () => {
        const table = `records_${client.replace(/\W/g, "_")}`
        let connected: ConnectedPostgres
        beforeAll(async () => {
          connected = await connect(server.port)
          await Promise.all(Array.from({ length: 3 }, () => kind.migrate(connected.client, { table })))
        }, 60_000)
        afterAll(() => connected.close())
        const create = (): Store => kind.postgres(connected.client, { table })
        testContract(kind, create)
        testMore({ client, create, table, connected: () => connected, server: () => server })

        test("say what to run where the table is missing", async () => {
          const store = kind.postgres(connected.client, { table: "nowhere" })
          await expect(ask(kind, store)).rejects.toMatchObject({
            code: "ERR_STORE",
            message: expect.stringContaining(kind.migrate.name) as string,
          })
        })
      })
    }
  })
}

/** By what is exported for migrations. */
export function testSchemas<Store>(kind: RecordKind<Store>): void {
  test(`a store of ${kind.name} gives its schema for migrations, and takes no name that is SQL`, () => {
    expect(kind.sqliteSchema()).toContain(`"${kind.table}"`)
    expect(kind.postgresSchema({ schema: "auth" })).toContain(`"auth"."${kind.table}"`)
    expect(() => kind.sqliteSchema('x"; DROP TABLE y')).toThrow(TypeError)
    expect(() => kind.postgresSchema({ table: 'x"; DROP TABLE y' })).toThrow(TypeError)
    expect(() => kind.sqlite({} as SqliteKeyDatabase)).toThrow(/database must be/)
  })
}
