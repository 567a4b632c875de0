import { createHash, createHmac } from "node:crypto"
import { inspect } from "node:util"
import { describe, expect, it, vi } from "vitest"

import {
  type ApiKeyRecord,
  type ApiKeysOptions,
  createApiKeys,
  memoryApiKeyStore,
} from "../../src/api-keys.ts"
import { createTestClock } from "../../src/testing.ts"

const DAY_MS = 86_400_000
const draft = { principal: "acme", scopes: ["transfers:write"] }

function keysWith(options: Partial<ApiKeysOptions> = {}) {
  const store = memoryApiKeyStore()
  const clock = createTestClock()
  return { store, clock, apiKeys: createApiKeys({ store, clock, ...options }) }
}

/** The same key with its last character changed. */
const changed = (key: string): string => key.slice(0, -1) + (key.endsWith("a") ? "b" : "a")

describe("a new API key", () => {
  it("is a prefix, a public id, and 160 bits that no other key has", async () => {
    const { apiKeys } = keysWith({ prefix: "acme9" })
    const created = await Promise.all(Array.from({ length: 50 }, () => apiKeys.create(draft)))
    for (const { key, id } of created) expect(key).toMatch(new RegExp(`^acme9_${id}_[a-z2-7]{32}$`))
    expect(new Set(created.map(({ key }) => key.slice(-32)))).toHaveLength(50)
    // each of 32 characters among 1,600: that one is missing has a chance of 32 · (31/32)^1600
    expect(new Set(created.flatMap(({ key }) => [...key.slice(-32)]))).toHaveLength(32)
  })

  it("does not show when it is logged, and is not in the store", async () => {
    const { apiKeys, store } = keysWith()
    const created = await apiKeys.create(draft)
    const secret = created.key.slice(-32)
    const seen = [
      inspect(created),
      JSON.stringify(created),
      inspect(apiKeys),
      JSON.stringify(await store.list()),
    ]
    for (const text of [...seen, JSON.stringify(await apiKeys.list())]) expect(text).not.toContain(secret)
    expect(JSON.stringify(await apiKeys.list())).not.toContain("hash")
  })

  it("is kept as its SHA-256, or as its HMAC under the pepper", async () => {
    const { apiKeys, store } = keysWith()
    const { key, id } = await apiKeys.create(draft)
    expect((await store.find(id))?.hash).toBe(createHash("sha256").update(key).digest("base64url"))
    const pepper = new Uint8Array(32).fill(7)
    const peppered = createApiKeys({ store, pepper })
    const other = await peppered.create(draft)
    const hmac = createHmac("sha256", pepper).update(other.key).digest("base64url")
    expect((await store.find(other.id))?.hash).toBe(hmac)
    expect(await peppered.verify(other.key)).toMatchObject({ valid: true })
    expect(await apiKeys.verify(other.key)).toMatchObject({ valid: false, reason: "wrong" })
  })

  it.each([
    [{ principal: "" }],
    [{ principal: "a b" }],
    [{ principal: "a\nb" }],
    [{ principal: "a".repeat(129) }],
    [{ principal: "a", scopes: ["a b"] }],
    [{ principal: "a", scopes: "read" }],
    [{ principal: "a", expiresInSeconds: 0 }],
    [{ principal: "a", days: 3 }],
  ])("is not made of %j", async (wanted) => {
    const { apiKeys, store } = keysWith()
    await expect(apiKeys.create(wanted as typeof draft)).rejects.toThrow(/options/)
    expect(await store.list()).toEqual([])
  })
})

describe("checking an API key", () => {
  it("tells whom it stands for and what it allows", async () => {
    const { apiKeys } = keysWith()
    const { key, id } = await apiKeys.create({ ...draft, scopes: ["a", "b", "a"] })
    expect(await apiKeys.verify(key)).toEqual({ valid: true, id, principal: "acme", scopes: ["a", "b"] })
  })

  it.each<[string, (key: string) => unknown, string]>([
    ["a changed secret", changed, "wrong"],
    ["another id", (key) => key.replace(/_.{16}_/, `_${"a".repeat(16)}_`), "unknown"],
    ["another prefix", (key) => `x${key}`, "malformed"],
    ["the id only", (key) => key.slice(0, 19), "malformed"],
    ["an empty secret", (key) => key.slice(0, 20), "malformed"],
    ["upper case", (key) => key.toUpperCase(), "malformed"],
    ["a line feed behind it", (key) => `${key}\n`, "malformed"],
    ["1 MB", (key) => key + "a".repeat(1_000_000), "malformed"],
    ["nothing", () => "", "malformed"],
    ["what is no text", () => undefined, "malformed"],
  ])("refuses %s", async (_, change, reason) => {
    const { apiKeys } = keysWith()
    const { key } = await apiKeys.create(draft)
    expect(await apiKeys.verify(change(key) as string)).toMatchObject({ valid: false, reason })
    expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
  })

  it("refuses a key from its end on, to the millisecond", async () => {
    const { apiKeys, clock } = keysWith()
    const { key } = await apiKeys.create({ ...draft, expiresInSeconds: 60 })
    clock.advance(59_999)
    expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
    clock.advance(1)
    expect(await apiKeys.verify(key)).toMatchObject({ valid: false, reason: "ended" })
  })

  it("refuses a revoked key at once and for ever, though the clock is set back", async () => {
    const { apiKeys, store, clock } = keysWith()
    const { key, id } = await apiKeys.create(draft)
    expect(await apiKeys.revoke(id)).toBe(true)
    clock.set(clock() - DAY_MS)
    expect(await createApiKeys({ store, clock }).verify(key)).toMatchObject({ reason: "ended" })
    expect(await apiKeys.revoke("unknown")).toBe(false)
    expect(await apiKeys.revoke("a".repeat(16))).toBe(false)
  })

  it("does the same work for an unknown id as for a wrong secret: one look-up, one hash, one comparison", async () => {
    const { apiKeys, store } = keysWith()
    const { key } = await apiKeys.create(draft)
    const find = vi.spyOn(store, "find")
    const digest = vi.spyOn(await import("#backend").then(({ backend }) => backend), "sha256")
    const costs: number[][] = []
    for (const tried of [changed(key), key.replace(/_.{16}_/, `_${"a".repeat(16)}_`)]) {
      find.mockClear()
      digest.mockClear()
      expect(await apiKeys.verify(tried)).toMatchObject({ valid: false })
      costs.push([find.mock.calls.length, digest.mock.calls.length])
    }
    digest.mockRestore()
    expect(costs).toEqual([
      [1, 1],
      [1, 1],
    ])
  })

  it("costs the owner of an id nothing, however often others try it", async () => {
    const { apiKeys, store } = keysWith()
    const { key, id } = await apiKeys.create(draft)
    const before = await store.find(id)
    for (let i = 0; i < 200; i++) await apiKeys.verify(changed(key))
    expect(await store.find(id)).toEqual(before)
    expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
  })

  it("notes the last use about once a minute, and once for many requests at once", async () => {
    const { apiKeys, store, clock } = keysWith()
    const { key, id } = await apiKeys.create(draft)
    const touch = vi.spyOn(store, "touch")
    await Promise.all(Array.from({ length: 20 }, () => apiKeys.verify(key)))
    await apiKeys.verify(key)
    expect(touch).toHaveBeenCalledTimes(1)
    clock.advance(60_000)
    await apiKeys.verify(key)
    expect(touch).toHaveBeenCalledTimes(2)
    expect((await store.find(id))?.lastUsedAtMs).toBe(clock())
  })

  it("lets a key through when its use cannot be noted, and none when it cannot be looked up", async () => {
    const { apiKeys, store } = keysWith()
    const { key } = await apiKeys.create(draft)
    vi.spyOn(store, "touch").mockRejectedValue(new Error("read only"))
    expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
    vi.spyOn(store, "find").mockRejectedValue(new Error("down"))
    await expect(apiKeys.verify(key)).rejects.toMatchObject({ code: "ERR_STORE" })
  })
})

describe("rotating an API key", () => {
  it("gives another for the same principal, and both work until the overlap ends", async () => {
    const { apiKeys, clock } = keysWith()
    const old = await apiKeys.create(draft)
    const fresh = await apiKeys.rotate(old.id, { overlapSeconds: 3600 })
    expect(fresh).toMatchObject(draft)
    clock.advance(3_599_999)
    for (const { key } of [old, fresh]) expect(await apiKeys.verify(key)).toMatchObject({ valid: true })
    clock.advance(1)
    expect(await apiKeys.verify(old.key)).toMatchObject({ reason: "ended" })
    expect(await apiKeys.verify(fresh.key)).toMatchObject({ valid: true })
  })

  it("gives the new key as long a life as the old one had, unless told otherwise", async () => {
    const { apiKeys, clock } = keysWith()
    const old = await apiKeys.create({ ...draft, expiresInSeconds: 100 })
    clock.advance(40_000)
    expect((await apiKeys.rotate(old.id)).endsAtMs).toBe(clock() + 100_000)
    const told = await apiKeys.rotate(old.id, { expiresInSeconds: 9 })
    expect(told.endsAtMs).toBe(clock() + 9000)
    const endless = await apiKeys.create(draft)
    expect((await apiKeys.rotate(endless.id)).endsAtMs).toBeUndefined()
  })

  it("does not lengthen the old key's life", async () => {
    const { apiKeys, clock } = keysWith()
    const old = await apiKeys.create({ ...draft, expiresInSeconds: 10 })
    await apiKeys.rotate(old.id)
    clock.advance(10_000)
    expect(await apiKeys.verify(old.key)).toMatchObject({ reason: "ended" })
  })

  it("makes no key of one that is unknown, has ended, or is revoked at that moment", async () => {
    const { apiKeys, store } = keysWith()
    await expect(apiKeys.rotate("a".repeat(16))).rejects.toThrow(RangeError)
    await expect(apiKeys.rotate("no id")).rejects.toThrow(RangeError)
    const { id } = await apiKeys.create(draft)
    const stale = (await store.find(id)) as ApiKeyRecord
    await apiKeys.revoke(id)
    await expect(apiKeys.rotate(id)).rejects.toThrow(RangeError)
    vi.spyOn(store, "find").mockReturnValue(stale)
    await expect(apiKeys.rotate(id)).rejects.toThrow(RangeError)
    expect(await store.list()).toHaveLength(1)
  })
})

describe("API keys", () => {
  it("are listed by principal, the oldest first, also when they have ended", async () => {
    const { apiKeys, clock } = keysWith()
    const first = await apiKeys.create(draft)
    clock.advance(1000)
    const second = await apiKeys.create(draft)
    await apiKeys.create({ principal: "other" })
    await apiKeys.revoke(first.id)
    const listed = await apiKeys.list("acme")
    expect(listed.map(({ id, endsAtMs }) => [id, endsAtMs])).toEqual([
      [first.id, 0],
      [second.id, undefined],
    ])
    expect(await apiKeys.list()).toHaveLength(3)
  })

  it.each([
    [{ store: {} }],
    [{ prefix: "Sk" }],
    [{ prefix: "a_b" }],
    [{ pepper: new Uint8Array(31) }],
    [{ touchEverySeconds: -1 }],
    [{ clock: 5 }],
    [{ salt: 1 }],
  ])("are not made with %o", (options) => {
    const make = () => createApiKeys({ store: memoryApiKeyStore(), ...(options as object) })
    expect(make).toThrow(/options/)
  })
})
