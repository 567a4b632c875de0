import { describe, expect, it } from "vitest"

import { memoryApiKeyStore } from "../../src/api-keys.ts"
import { apiKeyStoreContract } from "../../src/testing.ts"

const record = {
  id: "abcdefgh234567ab",
  hash: "A".repeat(43),
  principal: "acme",
  scopes: ["read"],
  createdAtMs: 1,
  endsAtMs: undefined,
  lastUsedAtMs: undefined,
}

describe("API keys in memory", () => {
  const cases = apiKeyStoreContract({ create: () => memoryApiKeyStore(), reopen: (store) => store })
  for (const { name, run } of cases) it(name, run)

  it("begin with the records that they are given, without the absent members that JSON drops", async () => {
    const records = JSON.parse(JSON.stringify([record])) as (typeof record)[]
    expect(await memoryApiKeyStore({ records }).find(record.id)).toEqual(record)
  })

  it.each([
    ["no array", {}],
    ["no hash", [{ ...record, hash: undefined }]],
    ["scopes that are one string", [{ ...record, scopes: "read" }]],
    ["an end that is no time", [{ ...record, endsAtMs: "never" }]],
    ["an id twice", [record, record]],
    ["nothing", [null]],
  ])("refuse records with %s", (_, records) => {
    expect(() => memoryApiKeyStore({ records: records as (typeof record)[] })).toThrow(TypeError)
  })
})
