import { expect, test } from "vitest"

import { proveSigningKey } from "../../src/client.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { createSigningKeys, type SigningKeys, type SigningKeyStore } from "../../src/server.ts"
import {
  migrateSigningKeys,
  postgresSigningKeySchema,
  postgresSigningKeyStore,
} from "../../src/stores/postgres.ts"
import { redisSigningKeyStore } from "../../src/stores/redis.ts"
import { sqliteSigningKeySchema, sqliteSigningKeyStore } from "../../src/stores/sqlite.ts"
import { signingKeyStoreContract } from "../../src/testing.ts"
import {
  type RecordKind,
  testInPostgres,
  testInRedis,
  testInSqlite,
  testSchemas,
  type WithClient,
} from "../support/record-stores.ts"
import { freshGuard, ORIGIN, serverKey } from "../support/sealed-http.ts"

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

const SIGNING_KEYS: RecordKind<SigningKeyStore> = {
  name: "signing keys",
  contract: signingKeyStoreContract,
  ask: async (store) => (await keysOver(store)).find((await newKey()).kid),
  table: "sealwire_signing_keys",
  sqlite: sqliteSigningKeyStore,
  sqliteSchema: sqliteSigningKeySchema,
  redis: redisSigningKeyStore,
  postgres: postgresSigningKeyStore,
  postgresSchema: postgresSigningKeySchema,
  migrate: migrateSigningKeys,
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

function testEnrolment({ create }: Pick<WithClient<SigningKeyStore>, "create">): void {
  test("are enrolled once for all who share them", async () =>
    enrolsOnceForAll(await create(), await create()))
}

testInSqlite(SIGNING_KEYS, testEnrolment)
testInRedis(SIGNING_KEYS, testEnrolment)
testInPostgres(SIGNING_KEYS, testEnrolment)
testSchemas(SIGNING_KEYS)
