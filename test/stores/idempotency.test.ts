import { createHash, randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"

import type { IdempotencyStore } from "../../src/server.ts"
import {
  migrateIdempotency,
  postgresIdempotencySchema,
  postgresIdempotencyStore,
} from "../../src/stores/postgres.ts"
import { OPERATION_SCRIPTS } from "../../src/stores/redis-idempotency.ts"
import { redisIdempotencyStore } from "../../src/stores/redis.ts"
import { sqliteIdempotencySchema, sqliteIdempotencyStore } from "../../src/stores/sqlite.ts"
import { idempotencyStoreContract } from "../../src/testing.ts"
import {
  type RecordKind,
  refusalOf,
  testInPostgres,
  testInRedis,
  testInSqlite,
  testSchemas,
} from "../support/record-stores.ts"

const BEGUN = new Uint8Array([1, 2, 3])
const newId = (): string => randomBytes(32).toString("base64url")
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const OPERATIONS: RecordKind<IdempotencyStore> = {
  name: "operations",
  contract: idempotencyStoreContract,
  ask: (store) => store.begin(newId(), BEGUN, 1),
  table: "sealwire_operations",
  sqlite: sqliteIdempotencyStore,
  sqliteSchema: sqliteIdempotencySchema,
  redis: redisIdempotencyStore,
  postgres: postgresIdempotencyStore,
  postgresSchema: postgresIdempotencySchema,
  migrate: migrateIdempotency,
}

/** Begins as many as a store takes before it purges, all of them short; then one more, which purges. */
async function beginMany(store: IdempotencyStore, count: number): Promise<void> {
  // the first one purges
  await store.begin(newId(), BEGUN, 0.001)
  await Promise.all(Array.from({ length: count - 1 }, () => store.begin(newId(), BEGUN, 0.001)))
  await wait(20)
  await store.begin(newId(), BEGUN, 1000)
}

testInSqlite(OPERATIONS, ({ open }) => {
  test("leave the file when they have expired", async () => {
    const database = open()
    await beginMany(sqliteIdempotencyStore(database, { table: "purged" }), 200)
    expect(database.prepare("SELECT id FROM purged").all()).toHaveLength(1)
  })
})

testInRedis(OPERATIONS)
describe("operations in Redis", () => {
  test("say ERR_STORE_FULL where the server's memory is", async () => {
    const refusal = await refusalOf(OPERATIONS, "OOM command not allowed when used memory > 'maxmemory'.")
    expect(refusal).toMatchObject({ code: "ERR_STORE_FULL" })
  })

  test.each(Object.entries(OPERATION_SCRIPTS))(
    "name the script %s as the server does",
    (_, { text, sha }) => {
      expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
    },
  )
})

testInPostgres(OPERATIONS, ({ client, table, connected, server }) => {
  test.runIf(client === "pg")("leave the table when they have expired", async () => {
    const purged = { table: "purged" }
    await migrateIdempotency(connected().client, purged)
    await beginMany(postgresIdempotencyStore(connected().client, purged), 500)
    // beside the operations, so a little later
    await expect.poll(() => server().sql("SELECT count(*) FROM purged").trim()).toMatch(/\b1\b/)
  })

  test.runIf(client === "pg")("wait for the disk also where commits do not", async () => {
    await connected().rolledBack(async (transaction) => {
      const { query } = transaction as { query(text: string): Promise<{ rows: unknown[] }> }
      const ask = query.bind(transaction)
      await ask("SET LOCAL synchronous_commit = off")
      await postgresIdempotencyStore(transaction, { table }).begin(newId(), BEGUN, 1)
      expect((await ask("SHOW synchronous_commit")).rows).toEqual([{ synchronous_commit: "on" }])
    })
  })
})
testSchemas(OPERATIONS)
