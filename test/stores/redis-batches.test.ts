import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { type NodeRedisClient, type RedisClient, redisStore } from "../../src/stores/redis.ts"
import { CLAIM } from "../../src/stores/redis-scripts.ts"
import { notRun } from "../support/not-run.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const inAMinute = (): number => Date.now() + 60_000
/** An id of the tag, or of any. */
const newId = (tag?: number): string => {
  const bytes = randomBytes(32)
  if (tag !== undefined) bytes[0] = tag
  return bytes.toString("base64url")
}
const newIds = (count: number): string[] => Array.from({ length: count }, () => newId())
const tagsOf = (keys: readonly string[]): Set<string> => new Set(keys.map((key) => key.slice(0, 6)))

/** A client like ioredis of a server that marks, and answers each call of the claiming script as `answer` says. */
function scripted(answer: (keys: readonly string[]) => unknown): {
  client: RedisClient
  calls: string[][]
} {
  const calls: string[][] = []
  const run = async (sha: string, keyCount: number, ...more: string[]): Promise<unknown> => {
    await Promise.resolve()
    const now = Date.now()
    if (sha !== CLAIM.sha) return ["marked", now, now, "noeviction"]
    const keys = more.slice(0, keyCount)
    calls.push(keys)
    const verdicts = answer(keys)
    return typeof verdicts === "string" ? ["claimed", now, now, verdicts] : verdicts
  }
  return { client: { evalsha: run, eval: run }, calls }
}
const allWon = (keys: readonly string[]): string => "w".repeat(keys.length / 2)

describe("redisStore, of claims that come together", () => {
  test("sends a claim alone before anything but promises is waited for", async () => {
    const { client, calls } = scripted(allWon)
    const store = redisStore(client, { prefix: "p" })
    await store.ready()
    const claimed = store.claim(newId(), inAMinute())
    // what comes after all promises that can be settled, and before timers and sockets
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
    expect(calls).toHaveLength(1)
    expect(await claimed).toBe(true)
  })

  test("sends claims of one tick in calls of at most 64", async () => {
    const { client, calls } = scripted(allWon)
    const store = redisStore(client, { prefix: "p" })
    await store.ready()
    const answers = await Promise.all(newIds(150).map((id) => store.claim(id, inAMinute())))
    expect(calls.map((keys) => keys.length / 2)).toEqual([64, 64, 22])
    expect(answers).toEqual(Array(150).fill(true))
  })

  test("sends claims of two ticks in two calls", async () => {
    const { client, calls } = scripted(allWon)
    const store = redisStore(client, { prefix: "p" })
    await store.ready()
    const first = store.claim(newId(), inAMinute())
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([first, store.claim(newId(), inAMinute())])
    expect(calls).toHaveLength(2)
  })

  test("gives each claim its own answer", async () => {
    const { client } = scripted(() => "whlx")
    const store = redisStore(client, { prefix: "p" })
    const claims = newIds(5).map((id) => store.claim(id, inAMinute()))
    const failed = (text: string): object => ({
      status: "rejected",
      reason: expect.objectContaining({
        code: "ERR_STORE",
        message: expect.stringContaining(text) as string,
      }) as Error,
    })
    expect(await Promise.allSettled(claims)).toEqual([
      { status: "fulfilled", value: true },
      { status: "fulfilled", value: false },
      failed("expired"),
      failed("does not give"),
      failed("does not give"),
    ])
  })

  test("fails all claims of a call that failed, each with an error of its own", async () => {
    const { client } = scripted(() => Promise.reject(new Error("OOM command not allowed")))
    const store = redisStore(client, { prefix: "p" })
    const outcomes = await Promise.allSettled(newIds(3).map((id) => store.claim(id, inAMinute())))
    const reasons = outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as Error))
    expect(reasons).toMatchObject(Array(3).fill({ code: "ERR_STORE_FULL" }))
    expect(new Set(reasons).size).toBe(3)
  })

  test.each(["replica", "apart"])("refuses all claims of a call whose answer is %j", async (verdict) => {
    const { client } = scripted(() => [verdict, 0, Date.now()])
    const store = redisStore(client, { prefix: "p" })
    const outcomes = await Promise.allSettled(newIds(2).map((id) => store.claim(id, inAMinute())))
    expect(outcomes).toMatchObject(Array(2).fill({ status: "rejected", reason: { code: "ERR_STORE" } }))
  })

  test("asks once more for those claims alone whose marker was lost", async () => {
    const answers = ["wmw", "m"]
    const { client, calls } = scripted(() => answers.shift())
    const store = redisStore(client, { prefix: "p" })
    const ids = newIds(3)
    const outcomes = await Promise.allSettled(ids.map((id) => store.claim(id, inAMinute())))
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(calls[1]).toEqual(calls[0]?.slice(2, 4))
  })

  test("sends a call for each tag once a server has refused one for several", async () => {
    const { client, calls } = scripted((keys) => {
      if (tagsOf(keys).size > 1) throw new Error("CROSSSLOT Keys in request don't hash to the same slot")
      return allWon(keys)
    })
    const store = redisStore(client, { prefix: "p" })
    const claimAll = (): Promise<boolean[]> => {
      const ids = [newId(1), newId(2), newId(1), newId(2), newId(3)]
      return Promise.all(ids.map((id) => store.claim(id, inAMinute())))
    }
    const claimsOfCalls = (): number[] => calls.splice(0).map((keys) => keys.length / 2)
    expect(await claimAll()).toEqual(Array(5).fill(true))
    expect(claimsOfCalls()).toEqual([5, 2, 2, 1])
    expect(await claimAll()).toEqual(Array(5).fill(true))
    expect(claimsOfCalls()).toEqual([2, 2, 1])
  })

  test("does not ask again when a server refuses a call for one tag too", async () => {
    const { client, calls } = scripted(() => Promise.reject(new Error("CROSSSLOT")))
    const store = redisStore(client, { prefix: "p" })
    await expect(store.claim(newId(), inAMinute())).rejects.toMatchObject({ code: "ERR_STORE" })
    expect(calls).toHaveLength(2)
  })
})

const missing = hasRedisServer() ? clientLibrary("redis") === undefined && "redis" : "redis-server"
if (missing) notRun("claims that come together to the Redis store", missing)

describe.skipIf(missing)("redisStore, of claims that come together to a server", () => {
  let server: RedisServer
  let connected: Connected
  beforeEach(async () => {
    server = await startRedisServer()
    const connect = REDIS_CLIENTS["redis"]
    if (connect) connected = await connect(server.port)
  })
  afterEach(async () => {
    await connected.close()
    await server.close()
  })

  test("asks once for 64, whatever their tags, and takes one of those that are the same", async () => {
    const store = redisStore(connected.client, { prefix: "p" })
    await store.claim(newId(), inAMinute())
    const ids = newIds(32)
    server.command("CONFIG", "RESETSTAT")
    const answers = await Promise.all([...ids, ...ids].map((id) => store.claim(id, inAMinute())))
    expect(server.command("INFO", "commandstats").match(/eval(?:sha)?:calls=\d+/g)).toEqual([
      "evalsha:calls=1",
    ])
    expect(answers).toEqual([...Array<boolean>(32).fill(true), ...Array<boolean>(32).fill(false)])
  })

  test("keeps each id as long as its own claim says", async () => {
    const store = redisStore(connected.client, { prefix: "p" })
    const [short, long] = [newId(1), newId(1)]
    const now = Date.now()
    await Promise.all([store.claim(short, now + 30_000), store.claim(long, now + 90_000)])
    const lifeOf = (id: string): number => Number(server.command("PTTL", `{p:01}:${id.slice(0, 22)}`))
    expect(lifeOf(short)).toBeLessThanOrEqual(30_000)
    expect(lifeOf(long)).toBeGreaterThan(60_000)
  })

  test("refuses what has expired, and nothing that came with it", async () => {
    const store = redisStore(connected.client, { prefix: "p" })
    const claims = [store.claim(newId(1), inAMinute()), store.claim(newId(1), Date.now() - 1)]
    expect(await Promise.allSettled(claims)).toMatchObject([
      { value: true },
      { reason: { code: "ERR_STORE" } },
    ])
  })

  test("sets no id whose marker is lost, but those that came with it", async () => {
    const inner = connected.client as NodeRedisClient
    let mayMark = true
    const client: NodeRedisClient = {
      evalSha: (sha, options) =>
        sha === CLAIM.sha || mayMark ? inner.evalSha(sha, options) : Promise.reject(new Error("not now")),
      eval: (script, options) => inner.eval(script, options),
    }
    const store = redisStore(client, { prefix: "p" })
    const [kept, lost] = [newId(1), newId(2)]
    await store.ready()
    const knownSince = store.knowsSince()
    server.command("DEL", "{p:02}:marker")
    mayMark = false
    const outcomes = await Promise.allSettled([kept, lost].map((id) => store.claim(id, inAMinute())))
    expect(outcomes).toMatchObject([{ value: true }, { reason: { code: "ERR_STORE" } }])
    expect(server.command("KEYS", `*${lost.slice(0, 22)}`)).toBe("")
    mayMark = true
    expect(await store.claim(lost, inAMinute())).toBe(true)
    expect(store.knowsSince()).toBeGreaterThan(knownSince)
  })
})
