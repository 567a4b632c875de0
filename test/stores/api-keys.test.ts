import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"

import { type ApiKeyStore, createApiKeys } from "../../src/api-keys.ts"
import { migrateApiKeys, postgresApiKeySchema, postgresApiKeyStore } from "../../src/stores/postgres.ts"
import { redisApiKeyStore } from "../../src/stores/redis.ts"
import { RECORD_SCRIPTS } from "../../src/stores/redis-records.ts"
import { sqliteApiKeySchema, sqliteApiKeyStore } from "../../src/stores/sqlite.ts"
import { apiKeyStoreContract } from "../../src/testing.ts"
import {
  type RecordKind,
  testInPostgres,
  testInRedis,
  testInSqlite,
  testSchemas,
} from "../support/record-stores.ts"

const API_KEYS: RecordKind<ApiKeyStore> = {
  name: "API keys",
  contract: apiKeyStoreContract,
  ask: (store) => createApiKeys({ store }).create({ principal: "acme" }),
  table: "sealwire_api_keys",
  sqlite: sqliteApiKeyStore,
  sqliteSchema: sqliteApiKeySchema,
  redis: redisApiKeyStore,
  postgres: postgresApiKeyStore,
  postgresSchema: postgresApiKeySchema,
  migrate: migrateApiKeys,
}

testInSqlite(API_KEYS, ({ create, open }) => {
  test("lie in a file that holds no secret, and work through another connection", async () => {
    const { key } = await createApiKeys({ store: await create() }).create({ principal: "acme" })
    expect(await createApiKeys({ store: await create() }).verify(key)).toMatchObject({ valid: true })
    const rows = open().prepare("SELECT * FROM sealwire_api_keys").all()
    expect(JSON.stringify(rows)).not.toContain(key.slice(-32))
  })
})
testInRedis(API_KEYS)
testInPostgres(API_KEYS)
testSchemas(API_KEYS)

describe("records in Redis", () => {
  test.each(Object.entries(RECORD_SCRIPTS))("name the script %s as the server does", (_, { text, sha }) => {
    expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
  })
})
