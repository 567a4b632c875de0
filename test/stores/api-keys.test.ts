import { createHash } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import { createApiKeys } from "../../src/api-keys.ts"
import { migrateApiKeys, postgresApiKeySchema, postgresApiKeyStore } from "../../src/stores/postgres.ts"
import { redisApiKeyStore } from "../../src/stores/redis.ts"
import { RECORD_SCRIPTS } from "../../src/stores/redis-records.ts"
import { sqliteApiKeySchema, sqliteApiKeyStore, type SqliteKeyDatabase } from "../../src/stores/sqlite.ts"
import { apiKeyStoreContract } from "../../src/testing.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { SQLITE_CLIENTS } from "../support/sqlite-clients.ts"
import { sqliteFile } from "../support/sqlite-files.ts"
import { clientLibrary } from "../support/store-clients.ts"

for (const [name, openFile] of Object.entries(SQLITE_CLIENTS)) {
  if (!openFile) {
    notRun(`API keys in SQLite with ${name}`, name)
    continue
  }
  describe(`API keys in SQLite with ${name}`, () => {
    const file = sqliteFile(openFile)
    const open = () => file.open() as unknown as SqliteKeyDatabase
    const create = () => sqliteApiKeyStore(open())
    afterAll(() => {
      file.remove()
    })
    for (const { name, run } of apiKeyStoreContract({ create, reopen: create })) test(name, run)

    test("lie in a file that holds no secret, and work through another connection", async () => {
      const { key } = await createApiKeys({ store: create() }).create({ principal: "acme" })
      expect(await createApiKeys({ store: create() }).verify(key)).toMatchObject({ valid: true })
      const rows = open().prepare("SELECT * FROM sealwire_api_keys").all()
      expect(JSON.stringify(rows)).not.toContain(key.slice(-32))
    })

    test("say ERR_STORE where the file is no database, and go on once it is one", async () => {
      const database = open()
      const exec = vi.spyOn(database, "exec").mockImplementationOnce(() => {
        throw new Error("file is not a database")
      })
      const keys = createApiKeys({ store: sqliteApiKeyStore(database) })
      await expect(keys.create({ principal: "acme" })).rejects.toMatchObject({ code: "ERR_STORE" })
      exec.mockRestore()
      expect(await keys.create({ principal: "acme" })).toMatchObject({ principal: "acme" })
    })
  })
}

describe("API keys in Redis", () => {
  let server: RedisServer
  const serverMissing = !hasRedisServer()
  beforeAll(async () => {
    if (!serverMissing) server = await startRedisServer()
  })
  afterAll(() => (serverMissing ? undefined : server.close()))
  for (const [name, connect] of Object.entries(REDIS_CLIENTS)) {
    const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
    if (missing) {
      notRun(`API keys in Redis with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const open: Connected[] = []
      const create = async () => {
        const connected = await connect(server.port)
        open.push(connected)
        return redisApiKeyStore(connected.client, { prefix: name.replace(/\W/g, "") })
      }
      afterAll(async () => {
        for (const { close } of open) await close()
      })
      for (const { name, run } of apiKeyStoreContract({ create, reopen: create })) test(name, run)
    })
  }

  test("say ERR_STORE, without the server's address, where it does not answer", async () => {
    const error = new Error("connect ECONNREFUSED redis://user:pw@db:6379")
    const client = { evalsha: () => Promise.reject(error), eval: () => Promise.reject(error) }
    const keys = createApiKeys({ store: redisApiKeyStore(client, { prefix: "a" }) })
    const refusal = await keys.create({ principal: "acme" }).catch((thrown: unknown) => thrown as Error)
    expect(refusal).toMatchObject({ code: "ERR_STORE" })
    expect(String((refusal as Error).cause)).not.toContain("pw")
  })

  test.each(Object.entries(RECORD_SCRIPTS))("name the script %s as the server does", (_, { text, sha }) => {
    expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
  })

  test.each([[{ prefix: "a b" }], [{ prefix: "{a}" }], [{ prefix: "a", table: "b" }], [{}]])(
    "are refused %o",
    (options) => {
      const client = { evalsha: vi.fn(), eval: vi.fn() }
      expect(() => redisApiKeyStore(client, options as { prefix: string })).toThrow(TypeError)
    },
  )
})

describe("API keys in Postgres", { timeout: 120_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    if (hasPostgresServer) server = await startPostgresServer()
  }, 60_000)
  afterAll(() => (hasPostgresServer ? server.close() : undefined))
  for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
    const missing = hasPostgresServer ? clientLibrary(name) === undefined && name : "postgres"
    if (missing) {
      notRun(`API keys in Postgres with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const table = `keys_${name.replace(/\W/g, "_")}`
      let connected: ConnectedPostgres
      beforeAll(async () => {
        connected = await connect(server.port)
        await Promise.all(Array.from({ length: 3 }, () => migrateApiKeys(connected.client, { table })))
      }, 60_000)
      afterAll(() => connected.close())
      const create = () => postgresApiKeyStore(connected.client, { table })
      for (const { name, run } of apiKeyStoreContract({ create, reopen: create })) test(name, run)

      test("say what to run where the table is missing", async () => {
        const keys = createApiKeys({ store: postgresApiKeyStore(connected.client, { table: "nowhere" }) })
        await expect(keys.create({ principal: "acme" })).rejects.toMatchObject({
          code: "ERR_STORE",
          message: expect.stringContaining("migrateApiKeys") as string,
        })
      })
    })
  }
})

test("a store of API keys gives its schema for migrations, and takes no name that is SQL", () => {
  expect(sqliteApiKeySchema()).toContain('"sealwire_api_keys"')
  expect(postgresApiKeySchema({ schema: "auth" })).toContain('"auth"."sealwire_api_keys"')
  expect(() => sqliteApiKeySchema('x"; DROP TABLE y')).toThrow(TypeError)
  expect(() => postgresApiKeySchema({ table: 'x"; DROP TABLE y' })).toThrow(TypeError)
  expect(() => sqliteApiKeyStore({} as SqliteKeyDatabase)).toThrow(/database must be/)
})
