import { createHash, randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import type { IdempotencyStore } from "../../src/server.ts"
import {
  migrateIdempotency,
  postgresIdempotencySchema,
  postgresIdempotencyStore,
} from "../../src/stores/postgres.ts"
import { OPERATION_SCRIPTS } from "../../src/stores/redis-idempotency.ts"
import { redisIdempotencyStore } from "../../src/stores/redis.ts"
import {
  sqliteIdempotencySchema,
  sqliteIdempotencyStore,
  type SqliteKeyDatabase,
} from "../../src/stores/sqlite.ts"
import { idempotencyStoreContract } from "../../src/testing.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { SQLITE_CLIENTS } from "../support/sqlite-clients.ts"
import { sqliteFile } from "../support/sqlite-files.ts"
import { clientLibrary } from "../support/store-clients.ts"

const BEGUN = new Uint8Array([1, 2, 3])
const newId = (): string => randomBytes(32).toString("base64url")
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Begins as many as a store takes before it purges, all of them short; then one more, which purges. */
async function beginMany(store: IdempotencyStore, count: number): Promise<void> {
  // the first one purges
  await store.begin(newId(), BEGUN, 0.001)
  await Promise.all(Array.from({ length: count - 1 }, () => store.begin(newId(), BEGUN, 0.001)))
  await wait(20)
  await store.begin(newId(), BEGUN, 1000)
}

for (const [name, openFile] of Object.entries(SQLITE_CLIENTS)) {
  if (!openFile) {
    notRun(`operations in SQLite with ${name}`, name)
    continue
  }
  describe(`operations in SQLite with ${name}`, () => {
    const file = sqliteFile(openFile)
    const open = () => file.open() as unknown as SqliteKeyDatabase
    const create = () => sqliteIdempotencyStore(open())
    afterAll(() => {
      file.remove()
    })
    for (const { name, run } of idempotencyStoreContract({ create, reopen: create })) test(name, run)

    test("leave the file when they have expired", async () => {
      const database = open()
      await beginMany(sqliteIdempotencyStore(database, { table: "purged" }), 200)
      expect(database.prepare("SELECT id FROM purged").all()).toHaveLength(1)
    })

    test("say ERR_STORE where the file is no database, and go on once it is one", async () => {
      const database = open()
      const exec = vi.spyOn(database, "exec").mockImplementationOnce(() => {
        throw new Error("file is not a database")
      })
      const store = sqliteIdempotencyStore(database)
      const id = newId()
      expect(() => store.find(id)).toThrow(expect.objectContaining({ code: "ERR_STORE" }))
      exec.mockRestore()
      expect(await store.find(id)).toBeUndefined()
    })
  })
}

describe("operations in Redis", () => {
  let server: RedisServer
  const serverMissing = !hasRedisServer()
  beforeAll(async () => {
    if (!serverMissing) server = await startRedisServer()
  })
  afterAll(() => (serverMissing ? undefined : server.close()))
  for (const [name, connect] of Object.entries(REDIS_CLIENTS)) {
    const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
    if (missing) {
      notRun(`operations in Redis with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const open: Connected[] = []
      const create = async () => {
        const connected = await connect(server.port)
        open.push(connected)
        return redisIdempotencyStore(connected.client, { prefix: name.replace(/\W/g, "") })
      }
      afterAll(async () => {
        for (const { close } of open) await close()
      })
      for (const { name, run } of idempotencyStoreContract({ create, reopen: create })) test(name, run)
    })
  }

  test.each([
    ["connect ECONNREFUSED redis://user:pw@db:6379", "ERR_STORE"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "ERR_STORE_FULL"],
  ])("say, where the server says %j, %s, without its address", async (message, code) => {
    const error = new Error(message)
    const client = { evalsha: () => Promise.reject(error), eval: () => Promise.reject(error) }
    const store = redisIdempotencyStore(client, { prefix: "a" })
    const refusal = await Promise.resolve(store.begin(newId(), BEGUN, 1)).catch((thrown: unknown) => thrown)
    expect(refusal).toMatchObject({ code })
    expect(String((refusal as Error).cause)).not.toContain("pw")
  })

  test.each(Object.entries(OPERATION_SCRIPTS))(
    "name the script %s as the server does",
    (_, { text, sha }) => {
      expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
    },
  )

  test.each([[{ prefix: "a b" }], [{ prefix: "{a}" }], [{ prefix: "a", table: "b" }], [{}]])(
    "are refused %o",
    (options) => {
      const client = { evalsha: vi.fn(), eval: vi.fn() }
      expect(() => redisIdempotencyStore(client, options as { prefix: string })).toThrow(TypeError)
    },
  )
})

describe("operations in Postgres", { timeout: 120_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    if (hasPostgresServer) server = await startPostgresServer()
  }, 60_000)
  afterAll(() => (hasPostgresServer ? server.close() : undefined))
  for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
    const missing = hasPostgresServer ? clientLibrary(name) === undefined && name : "postgres"
    if (missing) {
      notRun(`operations in Postgres with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const table = `operations_${name.replace(/\W/g, "_")}`
      let connected: ConnectedPostgres
      beforeAll(async () => {
        connected = await connect(server.port)
        await Promise.all(Array.from({ length: 3 }, () => migrateIdempotency(connected.client, { table })))
      }, 60_000)
      afterAll(() => connected.close())
      const create = () => postgresIdempotencyStore(connected.client, { table })
      for (const { name, run } of idempotencyStoreContract({ create, reopen: create })) test(name, run)

      test("say what to run where the table is missing", async () => {
        const store = postgresIdempotencyStore(connected.client, { table: "nowhere" })
        await expect(store.find(newId())).rejects.toMatchObject({
          code: "ERR_STORE",
          message: expect.stringContaining("migrateIdempotency") as string,
        })
      })

      test.runIf(name === "pg")("leave the table when they have expired", async () => {
        const purged = { table: "purged" }
        await migrateIdempotency(connected.client, purged)
        await beginMany(postgresIdempotencyStore(connected.client, purged), 500)
        // beside the operations, so a little later
        await expect.poll(() => server.sql("SELECT count(*) FROM purged").trim()).toMatch(/\b1\b/)
      })

      test.runIf(name === "pg")("wait for the disk also where commits do not", async () => {
        await connected.rolledBack(async (client) => {
          const { query } = client as { query(text: string): Promise<{ rows: unknown[] }> }
          const ask = query.bind(client)
          await ask("SET LOCAL synchronous_commit = off")
          await postgresIdempotencyStore(client, { table }).begin(newId(), BEGUN, 1)
          expect((await ask("SHOW synchronous_commit")).rows).toEqual([{ synchronous_commit: "on" }])
        })
      })
    })
  }
})

test("an idempotency store gives its schema for migrations, and takes no name that is SQL", () => {
  expect(sqliteIdempotencySchema()).toContain('"sealwire_operations"')
  expect(postgresIdempotencySchema({ schema: "auth" })).toContain('"auth"."sealwire_operations"')
  expect(() => sqliteIdempotencySchema('x"; DROP TABLE y')).toThrow(TypeError)
  expect(() => postgresIdempotencySchema({ table: 'x"; DROP TABLE y' })).toThrow(TypeError)
  expect(() => sqliteIdempotencyStore({} as SqliteKeyDatabase)).toThrow(/database must be/)
})
