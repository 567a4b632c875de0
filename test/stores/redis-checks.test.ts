import { createHash, randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"

import { type RedisClient, redisStore } from "../../src/stores/redis.ts"
import { CLAIM, MARK } from "../../src/stores/redis-scripts.ts"
import { notRun } from "../support/not-run.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const randomId = (): string => randomBytes(32).toString("base64url")
const inAMinute = (): number => Date.now() + 60_000

/** A client like ioredis that answers every script the same way. */
const answering = (reply: unknown): RedisClient => ({
  evalsha: () => Promise.resolve(reply),
  eval: () => Promise.resolve(reply),
})
const failing = (error: Error): RedisClient => ({
  evalsha: () => Promise.reject(error),
  eval: () => Promise.reject(error),
})

describe("redisStore", () => {
  test("has the SHA-1 of each script beside it", () => {
    for (const { text, sha } of [CLAIM, MARK]) expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
  })

  test("does nothing until it is used", () => {
    const asked = vi.fn()
    expect(redisStore({ evalsha: asked, eval: asked }, { prefix: "p" }).knowsSince()).toBe(0)
    expect(asked).not.toHaveBeenCalled()
  })

  test.each([undefined, null, 1, {}, { evalSha: () => undefined }])("refuses %j as a client", (client) => {
    expect(() => redisStore(client as unknown as RedisClient, { prefix: "p" })).toThrow(TypeError)
  })

  test.each([undefined, "", "a b", "{a}", "ä", "a".repeat(65)])("refuses the prefix %j", (prefix) => {
    expect(() => redisStore(answering(1), { prefix: String(prefix ?? "") })).toThrow(/options\.prefix/)
  })

  test.each([
    ["clockErrorSeconds", 0, RangeError],
    ["clockErrorSeconds", 1.5, RangeError],
    ["evictionPolicyVerified", "yes", TypeError],
    ["clock", 1, TypeError],
    ["prefixes", "p", TypeError],
  ])("refuses the option %s: %j", (name, value, kind) => {
    expect(() => redisStore(answering(1), { prefix: "p", [name]: value })).toThrow(kind)
  })

  test("refuses an id and an expiry that are none", async () => {
    const store = redisStore(answering(["won", 1, 1]), { prefix: "p" })
    await expect(store.claim("short", inAMinute())).rejects.toThrow(TypeError)
    await expect(store.claim(randomId(), NaN)).rejects.toThrow(RangeError)
  })

  test.each([[undefined], [[]], ["won"], [["maybe", 1, 1]], [["marked", 1, 1, "noeviction"]], [1]])(
    "refuses the odd answer %j",
    async (answer) => {
      const store = redisStore(answering(answer), { prefix: "p" })
      await expect(store.claim(randomId(), inAMinute())).rejects.toMatchObject({ code: "ERR_STORE" })
    },
  )

  test("tells what the client said, and none of its secrets", async () => {
    const error = Object.assign(new Error("connect redis://user:hunter2@host:1 refused"), {
      command: { name: "auth", args: ["hunter2"] },
    })
    const failure: unknown = await redisStore(failing(error), { prefix: "p" })
      .ready()
      .catch((e: unknown) => e)
    expect(failure).toMatchObject({
      code: "ERR_STORE",
      cause: { message: "connect redis://host:1 refused" },
    })
    expect(JSON.stringify((failure as Error).cause)).not.toContain("hunter2")
  })

  test("accepts a server that hides its eviction policy only when told that it was verified", async () => {
    const now = Date.now()
    const hiding = answering(["marked", now, now, "hidden"])
    await expect(redisStore(hiding, { prefix: "p" }).ready()).rejects.toMatchObject({ code: "ERR_STORE" })
    await redisStore(hiding, { prefix: "p", evictionPolicyVerified: true }).ready()
  })
})

const missing = hasRedisServer() ? clientLibrary("ioredis") === undefined && "ioredis" : "redis-server"
if (missing) notRun("the Redis store's checks of a server", missing)

describe.skipIf(missing)("redisStore, of a server", () => {
  let server: RedisServer
  let connected: Connected
  beforeEach(async () => {
    server = await startRedisServer()
    const connect = REDIS_CLIENTS["ioredis"]
    if (connect) connected = await connect(server.port)
  })
  afterEach(async () => {
    await connected.close()
    await server.close()
  })

  test.each(["allkeys-lru", "volatile-ttl"])("refuses the policy %s, verified or not", async (policy) => {
    server.command("CONFIG", "SET", "maxmemory-policy", policy)
    for (const evictionPolicyVerified of [false, true]) {
      const store = redisStore(connected.client, { prefix: "p", evictionPolicyVerified })
      await expect(store.claim(randomId(), inAMinute())).rejects.toMatchObject({
        code: "ERR_STORE",
        message: expect.stringContaining(policy) as string,
      })
    }
  })

  test("says what a user must be allowed", async () => {
    server.command("ACL", "SETUSER", "default", "-info")
    const store = redisStore(connected.client, { prefix: "p" })
    await expect(store.ready()).rejects.toMatchObject({
      code: "ERR_STORE",
      message: expect.stringContaining("INFO") as string,
    })
  })

  test("needs no more than that", async () => {
    const allowed = ["+evalsha", "+eval", "+info", "+time", "+get", "+set"]
    server.command("ACL", "SETUSER", "default", "reset", "on", "nopass", "~{p:*", ...allowed)
    const store = redisStore(connected.client, { prefix: "p" })
    expect(await store.claim(randomId(), inAMinute())).toBe(true)
  })

  test("keeps 132 bits of an id, under a tag of 256, until it expires", async () => {
    const store = redisStore(connected.client, { prefix: "p" })
    const id = randomId()
    await store.claim(id, inAMinute())
    const tag = Buffer.from(id, "base64url").subarray(0, 1).toString("hex")
    expect(server.command("KEYS", "*:marker").split("\n")).toHaveLength(256)
    expect(Number(server.command("PTTL", `{p:${tag}}:${id.slice(0, 22)}`))).toBeGreaterThan(55_000)
    expect(server.command("TTL", `{p:${tag}}:marker`)).toBe("-1")
  })

  test("asks once for a claim, and once more when the server has forgotten the script", async () => {
    const store = redisStore(connected.client, { prefix: "p" })
    await store.claim(randomId(), inAMinute())
    const calls = (): string[] =>
      server.command("INFO", "commandstats").match(/eval(?:sha)?:calls=\d+/g) ?? []
    server.command("CONFIG", "RESETSTAT")
    await store.claim(randomId(), inAMinute())
    expect(calls()).toEqual(["evalsha:calls=1"])
    server.command("SCRIPT", "FLUSH")
    await store.claim(randomId(), inAMinute())
    expect(calls().sort()).toEqual(["eval:calls=1", "evalsha:calls=2"])
  })

  test("knows since its markers were made, and a clock's error more", async () => {
    const from = Date.now()
    const store = redisStore(connected.client, { prefix: "p" })
    await store.ready()
    expect(store.knowsSince()).toBeGreaterThanOrEqual(from + 5000)
    expect(store.knowsSince()).toBeLessThanOrEqual(Date.now() + 5000)
    const later = redisStore(connected.client, { prefix: "p" })
    await later.ready()
    expect(Math.abs(later.knowsSince() - store.knowsSince())).toBeLessThan(1000)
  })
})
