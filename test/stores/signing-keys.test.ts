import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import { proveSigningKey } from "../../src/client.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { createSigningKeys, type SigningKeys, type SigningKeyStore } from "../../src/server.ts"
import {
  migrateSigningKeys,
  postgresSigningKeySchema,
  postgresSigningKeyStore,
} from "../../src/stores/postgres.ts"
import { redisSigningKeyStore } from "../../src/stores/redis.ts"
import {
  type SqliteKeyDatabase,
  sqliteSigningKeySchema,
  sqliteSigningKeyStore,
} from "../../src/stores/sqlite.ts"
import { signingKeyStoreContract } from "../../src/testing.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { freshGuard, ORIGIN, serverKey } from "../support/sealed-http.ts"
import { SQLITE_CLIENTS } from "../support/sqlite-clients.ts"
import { sqliteFile } from "../support/sqlite-files.ts"
import { clientLibrary } from "../support/store-clients.ts"

const ALICE = { id: "alice", scopes: ["transfers:write"] }
const BOB = { id: "bob", scopes: ["transfers:write"] }

const keysOver = async (store: SigningKeyStore): Promise<SigningKeys> =>
  createSigningKeys({ store, origin: ORIGIN, keys: await serverKey(), replay: freshGuard() })

async function newKey() {
  const { signingKey } = await generateSigningKeyPair()
  const { publicKey: to } = await serverKey()
  const proofFor = (principal: string) => proveSigningKey({ signingKey, to, origin: ORIGIN, principal })
  return { kid: signingKey.kid, proofFor }
}

/** One process enrols, another one finds; one of them revokes, and nobody gets the key back. */
async function enrolsOnceForAll(here: SigningKeyStore, there: SigningKeyStore): Promise<void> {
  const [one, other] = await Promise.all([keysOver(here), keysOver(there)])
  const { kid, proofFor } = await newKey()
  const record = await one.enrol(await proofFor("alice"), ALICE)
  expect(await other.list("alice")).toEqual([record])
  expect(await other.find(kid)).toMatchObject({ key: { kid }, principal: "alice", scopes: ALICE.scopes })
  await expect(other.enrol(await proofFor("bob"), BOB)).rejects.toMatchObject({ code: "ERR_KEY" })
  expect(await other.revoke(kid)).toBe(true)
  expect(await one.find(kid)).toBeUndefined()
  await expect(one.enrol(await proofFor("alice"), ALICE)).rejects.toMatchObject({ code: "ERR_KEY" })
}

for (const [name, openFile] of Object.entries(SQLITE_CLIENTS)) {
  if (!openFile) {
    notRun(`signing keys in SQLite with ${name}`, name)
    continue
  }
  describe(`signing keys in SQLite with ${name}`, () => {
    const file = sqliteFile(openFile)
    const open = () => file.open() as unknown as SqliteKeyDatabase
    const create = () => sqliteSigningKeyStore(open())
    afterAll(() => {
      file.remove()
    })
    for (const { name, run } of signingKeyStoreContract({ create, reopen: create })) test(name, run)

    test("are enrolled once for all connections", () => enrolsOnceForAll(create(), create()))

    test("say ERR_STORE where the file is no database, and go on once it is one", async () => {
      const database = open()
      const exec = vi.spyOn(database, "exec").mockImplementationOnce(() => {
        throw new Error("file is not a database")
      })
      const keys = await keysOver(sqliteSigningKeyStore(database))
      const { kid } = await newKey()
      await expect(keys.find(kid)).rejects.toMatchObject({ code: "ERR_STORE" })
      exec.mockRestore()
      expect(await keys.find(kid)).toBeUndefined()
    })
  })
}

describe("signing keys in Redis", () => {
  let server: RedisServer
  const serverMissing = !hasRedisServer()
  beforeAll(async () => {
    if (!serverMissing) server = await startRedisServer()
  })
  afterAll(() => (serverMissing ? undefined : server.close()))
  for (const [name, connect] of Object.entries(REDIS_CLIENTS)) {
    const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
    if (missing) {
      notRun(`signing keys in Redis with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const open: Connected[] = []
      const create = async () => {
        const connected = await connect(server.port)
        open.push(connected)
        return redisSigningKeyStore(connected.client, { prefix: name.replace(/\W/g, "") })
      }
      afterAll(async () => {
        for (const { close } of open) await close()
      })
      for (const { name, run } of signingKeyStoreContract({ create, reopen: create })) test(name, run)

      test("are enrolled once for all processes", async () =>
        enrolsOnceForAll(await create(), await create()))
    })
  }

  test("say ERR_STORE, without the server's address, where it does not answer", async () => {
    const error = new Error("connect ECONNREFUSED redis://user:pw@db:6379")
    const client = { evalsha: () => Promise.reject(error), eval: () => Promise.reject(error) }
    const keys = await keysOver(redisSigningKeyStore(client, { prefix: "a" }))
    const { kid } = await newKey()
    const refusal = await keys.find(kid).catch((thrown: unknown) => thrown as Error)
    expect(refusal).toMatchObject({ code: "ERR_STORE" })
    expect(String((refusal as Error).cause)).not.toContain("pw")
  })

  test.each([[{ prefix: "a b" }], [{ prefix: "{a}" }], [{ prefix: "a", table: "b" }], [{}]])(
    "are refused %o",
    (options) => {
      const client = { evalsha: vi.fn(), eval: vi.fn() }
      expect(() => redisSigningKeyStore(client, options as { prefix: string })).toThrow(TypeError)
    },
  )
})

describe("signing keys in Postgres", { timeout: 120_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    if (hasPostgresServer) server = await startPostgresServer()
  }, 60_000)
  afterAll(() => (hasPostgresServer ? server.close() : undefined))
  for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
    const missing = hasPostgresServer ? clientLibrary(name) === undefined && name : "postgres"
    if (missing) {
      notRun(`signing keys in Postgres with ${name}`, missing)
      continue
    }
    describe(`with ${name}`, () => {
      const table = `signers_${name.replace(/\W/g, "_")}`
      let connected: ConnectedPostgres
      beforeAll(async () => {
        connected = await connect(server.port)
        await Promise.all(Array.from({ length: 3 }, () => migrateSigningKeys(connected.client, { table })))
      }, 60_000)
      afterAll(() => connected.close())
      const create = () => postgresSigningKeyStore(connected.client, { table })
      for (const { name, run } of signingKeyStoreContract({ create, reopen: create })) test(name, run)

      test("are enrolled once for all processes", () => enrolsOnceForAll(create(), create()))

      test("say what to run where the table is missing", async () => {
        const keys = await keysOver(postgresSigningKeyStore(connected.client, { table: "nowhere" }))
        await expect(keys.find((await newKey()).kid)).rejects.toMatchObject({
          code: "ERR_STORE",
          message: expect.stringContaining("migrateSigningKeys") as string,
        })
      })
    })
  }
})

test("a store of signing keys gives its schema for migrations, and takes no name that is SQL", () => {
  expect(sqliteSigningKeySchema()).toContain('"sealwire_signing_keys"')
  expect(postgresSigningKeySchema({ schema: "auth" })).toContain('"auth"."sealwire_signing_keys"')
  expect(() => sqliteSigningKeySchema('x"; DROP TABLE y')).toThrow(TypeError)
  expect(() => postgresSigningKeySchema({ table: 'x"; DROP TABLE y' })).toThrow(TypeError)
  expect(() => sqliteSigningKeyStore({} as SqliteKeyDatabase)).toThrow(/database must be/)
})
