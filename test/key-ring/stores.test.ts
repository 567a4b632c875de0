import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { keyRingStoreContract } from "../../src/contracts/key-ring-store.ts"
import { type KeyRingStore, memoryKeyRingStore } from "../../src/key-ring/store.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"
import { migrateKeyRing, postgresKeyRingSchema, postgresKeyRingStore } from "../../src/stores/postgres.ts"
import { redisKeyRingStore } from "../../src/stores/redis.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { type Connected as ConnectedRedis, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { errorOf } from "../support/reader.ts"
import { clientLibrary } from "../support/store-clients.ts"

const base = mkdtempSync(join(tmpdir(), "sealwire-ring-"))
afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})
const newFolder = (): string => join(mkdtempSync(join(base, "f-")), "deep", "ring")

test.each(keyRingStoreContract({ create: memoryKeyRingStore }))("in memory: $name", ({ run }) => run())

describe("a key ring in a folder", () => {
  const folders = new Map<KeyRingStore, string>()
  const create = (folder = newFolder()): KeyRingStore => {
    const store = folderKeyRingStore(folder)
    folders.set(store, folder)
    return store
  }
  const reopen = (store: KeyRingStore): KeyRingStore => folderKeyRingStore(folders.get(store) ?? "")
  test.each(keyRingStoreContract({ create: () => create(), reopen }))("$name", ({ run }) => run())

  test("is for its owner only", async () => {
    const folder = newFolder()
    await create(folder).save("ring", "keys", 1)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, "ring.1")).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(["ring.1"])
  })

  /** Makes every file two minutes old. */
  const age = (folder: string): void => {
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1, Date.now() / 1000 - 120)
  }

  test("removes what is far behind the latest version and nobody is at, and what a killed process left", async () => {
    const folder = newFolder()
    const store = create(folder)
    for (let version = 1; version <= 20; version++) await store.save("uses", `${version}`, version)
    await store.save("ring", "keys", 1)
    writeFileSync(join(folder, `.new.${crypto.randomUUID()}`), "half a te")
    writeFileSync(join(folder, "notes.txt"), "somebody's")
    expect(readdirSync(folder)).toHaveLength(23)
    age(folder)
    writeFileSync(join(folder, `.new.${crypto.randomUUID()}`), "being writ")
    await store.save("uses", "21", 21)
    const left = readdirSync(folder)
    expect(left.filter((name) => name.startsWith("uses."))).toHaveLength(8)
    expect(left.filter((name) => name.startsWith(".new."))).toHaveLength(1)
    expect(left).toContain("notes.txt")
    expect(await store.load("uses")).toEqual({ version: 21, text: "21" })
    expect(await store.load("ring")).toEqual({ version: 1, text: "keys" })
  })

  test("does not let a saver that slept have a version that was taken and pruned meanwhile", async () => {
    const folder = newFolder()
    const store = create(folder)
    for (let version = 1; version <= 3; version++) await store.save("ring", `${version}`, version)
    const { publish } = await import("../../src/stores/folder-files.ts")
    const written = join(folder, `.new.${crypto.randomUUID()}`)
    writeFileSync(written, "from another age")
    for (let version = 4; version <= 14; version++) await store.save("ring", `${version}`, version)
    age(folder)
    await store.save("ring", "15", 15)
    expect(readdirSync(folder)).not.toContain("ring.4")
    writeFileSync(written, "from another age")
    expect(await publish(folder, written, "ring", 4)).toBe(false)
    expect(readdirSync(folder)).not.toContain("ring.4")
    expect((await store.load("ring"))?.text).toBe("15")
  })

  test.skipIf(process.getuid?.() === 0)("says that it cannot be written", async () => {
    const folder = newFolder()
    const store = create(folder)
    await store.save("ring", "keys", 1)
    chmodSync(folder, 0o500)
    expect(await errorOf(store.save("ring", "more", 2))).toMatchObject({ code: "ERR_STORE" })
    chmodSync(folder, 0o700)
  })

  test("says that it is no folder", async () => {
    const file = join(base, "file")
    writeFileSync(file, "")
    for (const asked of [create(file).load("ring"), create(file).save("ring", "keys", 1)]) {
      expect(await errorOf(asked)).toMatchObject({
        code: "ERR_STORE",
        message: expect.stringContaining("folder"),
      })
    }
    expect(() => folderKeyRingStore("")).toThrow(TypeError)
  })
})

const noPostgres = hasPostgresServer ? clientLibrary("pg") === undefined && "pg" : "postgres"
if (noPostgres) notRun("a key ring in Postgres", noPostgres)

describe.skipIf(noPostgres)("a key ring in Postgres", () => {
  let server: PostgresServer
  const connected: ConnectedPostgres[] = []
  let rings = 0
  beforeAll(async () => {
    server = await startPostgresServer()
  }, 60_000)
  afterAll(async () => {
    await Promise.all(connected.map(({ close }) => close()))
    await server.close()
  })

  for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
    const create = async (): Promise<KeyRingStore> => {
      const table = `ring_${++rings}`
      const { client } = connected.at(-1) ?? (await connect(server.port))
      await migrateKeyRing(client, { table })
      await migrateKeyRing(client, { table })
      return postgresKeyRingStore(client, { table })
    }
    describe(`by ${name}`, () => {
      beforeAll(async () => {
        connected.push(await connect(server.port))
      }, 60_000)
      test.each(keyRingStoreContract({ create }))("$name", ({ run }) => run())
    })
  }

  test("says what to do about a table that is not there", async () => {
    const found = await POSTGRES_CLIENTS["pg"]?.(server.port)
    if (!found) return
    connected.push(found)
    const error = await errorOf(postgresKeyRingStore(found.client, { table: "nowhere" }).load("ring"))
    expect(error).toMatchObject({ code: "ERR_STORE", message: expect.stringContaining("migrateKeyRing") })
  })

  test("has its SQL for those who keep migrations", () => {
    const sql = postgresKeyRingSchema({ schema: "vault", table: "keys" })
    expect(sql).toContain('CREATE TABLE IF NOT EXISTS "vault"."keys"')
    expect(() => postgresKeyRingSchema({ table: "keys; DROP TABLE" })).toThrow(TypeError)
  })
})

const noRedis = hasRedisServer() ? clientLibrary("redis") === undefined && "redis" : "redis-server"
if (noRedis) notRun("a key ring in Redis", noRedis)

describe.skipIf(noRedis)("a key ring in Redis", () => {
  let durable: RedisServer
  let forgetful: RedisServer
  const connected: ConnectedRedis[] = []
  let rings = 0
  const connectTo = async (name: string, server: RedisServer): Promise<ConnectedRedis> => {
    const found = await REDIS_CLIENTS[name]?.(server.port)
    if (!found) throw new Error(`no client ${name}`)
    connected.push(found)
    return found
  }
  beforeAll(async () => {
    durable = await startRedisServer("--appendonly", "yes")
    forgetful = await startRedisServer()
  }, 30_000)
  afterAll(async () => {
    await Promise.all(connected.map(({ close }) => close()))
    await Promise.all([durable.close(), forgetful.close()])
  })

  for (const name of Object.keys(REDIS_CLIENTS)) {
    describe(`by ${name}`, () => {
      let found: ConnectedRedis
      beforeAll(async () => {
        found = await connectTo(name, durable)
      }, 30_000)
      const create = (): KeyRingStore => redisKeyRingStore(found.client, { prefix: `ring-${++rings}` })
      test.each(keyRingStoreContract({ create }))("$name", ({ run }) => run())
    })
  }

  test("is not kept by a server that forgets, or evicts", async () => {
    const { client } = await connectTo("redis", forgetful)
    for (const persistenceVerified of [false, true]) {
      const error = await errorOf(
        redisKeyRingStore(client, { prefix: "x", persistenceVerified }).save("ring", "{}", 1),
      )
      expect(error).toMatchObject({ code: "ERR_STORE", message: expect.stringContaining("appendonly") })
    }
    const other = await connectTo("redis", durable)
    durable.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    const error = await errorOf(redisKeyRingStore(other.client, { prefix: "x" }).save("ring", "{}", 1))
    expect(error).toMatchObject({ code: "ERR_STORE", message: expect.stringContaining("maxmemory-policy") })
    durable.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
  })

  test("takes options that make sense", async () => {
    const { client } = await connectTo("redis", durable)
    expect(() => redisKeyRingStore(client, { prefix: "{a}" })).toThrow(TypeError)
    expect(() => redisKeyRingStore(client, { prefix: "a", persistenceVerified: 1 as never })).toThrow(
      TypeError,
    )
  })
})
