import { createHash } from "node:crypto"

import { afterAll, beforeAll, describe, expect, it, test } from "vitest"

import { sessionStoreContract } from "../../src/contracts/session-store.ts"
import { redisSessionStore } from "../../src/stores/redis.ts"
import * as scripts from "../../src/stores/redis-session-scripts.ts"
import { notRun } from "../support/not-run.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

let server: RedisServer
const serverMissing = !hasRedisServer()

beforeAll(async () => {
  if (!serverMissing) server = await startRedisServer()
})
afterAll(() => (serverMissing ? undefined : server.close()))

for (const [name, connect] of Object.entries(REDIS_CLIENTS)) {
  const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
  if (missing) {
    notRun(`the Redis session store with ${name}`, missing)
    continue
  }
  describe(`Redis session store with ${name}`, () => {
    const open: Connected[] = []
    let prefix = ""
    let count = 0
    const connected = async () => {
      const each = await connect(server.port)
      open.push(each)
      return redisSessionStore(each.client, { prefix })
    }
    const create = () => {
      prefix = `${name.replace(/\W/g, "")}${count++}`
      return connected()
    }
    afterAll(async () => {
      for (const each of open) await each.close()
    })
    const cases = sessionStoreContract({ create, reopen: connected })
    for (const { name, run } of cases) test(name, { timeout: 30_000 }, run)
  })
}

const withoutRedis = serverMissing ? "redis-server" : clientLibrary("redis") === undefined && "redis"
if (withoutRedis) notRun("what the Redis session store keeps of a principal", withoutRedis)

describe.skipIf(withoutRedis)("of a principal the Redis session store", () => {
  it("keeps few ids of sessions that have ended, and all that live", async () => {
    const { client, close } = (await REDIS_CLIENTS["redis"]?.(server.port)) as Connected
    const store = redisSessionStore(client, { prefix: "few" })
    const room = { maxSessions: 1000, maxPendingOffers: 1000 }
    const session = { content: new Uint8Array(1), principal: "P".repeat(43), openedAtMs: 1, endsAtMs: 60_000 }
    const open = async (number: number): Promise<string> => {
      const id = String(number).padStart(22, "A")
      await store.add(id, { ...session, key: undefined }, room, 1)
      await store.open(id, session, 1)
      return id
    }
    for (let i = 0; i < 5; i++) await open(i)
    for (let i = 5; i < 300; i++) await store.end(await open(i))
    const { sCard } = client as unknown as { sCard(key: string): Promise<number> }
    expect(await sCard.call(client, `{few:sessions}:p:${session.principal}`)).toBeLessThan(50)
    expect(await store.list(session.principal, 1)).toHaveLength(5)
    await close()
  })
})

describe("the Redis session store", () => {
  it("names its scripts by their hashes", () => {
    const all = Object.values(scripts)
    for (const { text, sha } of all) expect(createHash("sha1").update(text).digest("hex")).toBe(sha)
  })

  it("refuses when the server cannot be asked, and tells no secret of the connection", async () => {
    const evalsha = () => Promise.reject(new Error("connect redis://user:hunter2@host failed"))
    const store = redisSessionStore({ evalsha, eval: evalsha }, { prefix: "p" })
    const failure: unknown = await Promise.resolve(store.find("a", 0)).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: "ERR_STORE" })
    expect(String((failure as Error).cause)).not.toContain("hunter2")
  })

  it.each([1, "x", [], null])("refuses the odd answer %j", async (answer) => {
    const evalsha = () => Promise.resolve(answer)
    const store = redisSessionStore({ evalsha, eval: evalsha }, { prefix: "p" })
    const offer = { content: new Uint8Array(1), key: undefined, endsAtMs: 2 }
    const limits = { maxSessions: 1, maxPendingOffers: 1 }
    await expect(store.add("a", offer, limits, 1)).rejects.toMatchObject({ code: "ERR_STORE" })
  })

  it.each([{ prefix: "a b" }, { prefix: "{a}" }, { prefix: "" }, { prefix: "a", more: 1 }])(
    "refuses %j",
    (options) => {
      const evalsha = () => Promise.resolve(1)
      expect(() => redisSessionStore({ evalsha, eval: evalsha }, options)).toThrow(TypeError)
    },
  )
})
