import fc from "fast-check"
import { describe, expect, test } from "vitest"

import type { ClientOptions } from "../../src/client/options.ts"
import { createReplayGuard, memoryStore } from "../../src/index.ts"
import {
  type Between,
  createWorld,
  headerOf,
  instantTiming,
  toAll,
  toFirst,
  type World,
} from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const lost = (): never => {
  throw new TypeError("connection reset")
}
const plain =
  (status: number, headers: HeadersInit = {}) =>
  (): Response =>
    new Response("plain", { status, headers })

const METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"]
const REPEATABLE = ["GET", "HEAD", "PUT", "DELETE"]

async function attemptsOf(world: World, method: string): Promise<number> {
  await world.client.fetch("/a", { method, headers: { "idempotency-key": "k" } }).catch(() => undefined)
  return world.sent.length
}

describe.each([
  ["a lost connection", lost],
  ["an unsealed 503", plain(503)],
  ["an unsealed 429 with Retry-After", plain(429, { "retry-after": "1" })],
  ["an unsealed 200", plain(200)],
] as const)("after %s", (_, answer) => {
  test.each(METHODS)("repeats a %s only where a second effect is ruled out", async (method) => {
    const world = await createWorld()
    world.between = toAll(answer)
    expect(await attemptsOf(world, method)).toBe(REPEATABLE.includes(method) ? 3 : 1)
  })

  test.each(METHODS)("repeats a %s to a server that enforces idempotency keys", async (method) => {
    const world = await createWorld({ client: { enforcesIdempotency: true } })
    world.between = toAll(answer)
    expect(await attemptsOf(world, method)).toBe(3)
  })
})

test.each([301, 302, 303, 307, 308, 400, 403, 404, 413])(
  "does not repeat after an unsealed %i",
  async (status) => {
    const world = await createWorld()
    world.between = toAll(plain(status, { location: "https://other.example/" }))
    const error = await errorOf(world.client.fetch("/a"))
    expect(error).toMatchObject({ code: "ERR_UNSEALED", outerStatus: status, requestId: expect.any(String) })
    expect(world.sent).toHaveLength(1)
  },
)

test("seals each attempt anew, under the same ids, and the operation is done once", async () => {
  const world = await createWorld({ client: { enforcesIdempotency: true } })
  world.between = toFirst(2, lost)
  expect((await world.client.fetch("/a", { method: "POST", body: "{}" })).status).toBe(200)
  expect(new Set(world.sent.map((sent) => headerOf(sent).jti)).size).toBe(3)
  expect(new Set(world.sent.map(({ body }) => body.split(".")[1])).size).toBe(3)
  expect(world.handled).toHaveLength(1)
})

test("repeats an operation whose answers are lost under one idempotency key and one request id", async () => {
  const world = await createWorld({ client: { enforcesIdempotency: true } })
  world.between = toAll(async (sent, count, pass) => {
    const answer = await pass(sent)
    return count < 3 ? lost() : answer
  })
  await world.client.fetch("/a", { method: "POST", body: "{}" })
  for (const name of ["idempotency-key", "x-request-id"]) {
    const values = world.handled.map(({ headers }) => headers.get(name))
    expect(values).toHaveLength(3)
    expect(new Set(values).size).toBe(1)
    expect(values[0]).toMatch(/^[\w-]{22}$/)
  }
})

describe("a request that the server has seen before", () => {
  /** Somebody sends a copy first; the client's own comes second. */
  const overtaken = (): Between =>
    toAll(async (sent, count, pass) => {
      if (count === 1) await pass(sent)
      return pass(sent)
    })

  test("is repeated where that is safe", async () => {
    const world = await createWorld()
    world.between = overtaken()
    expect((await world.client.fetch("/a", { method: "PUT", body: "{}" })).status).toBe(200)
    expect(world.events).toContainEqual(expect.objectContaining({ type: "retry", reason: "replayed" }))
  })

  test("is ERR_REPLAYED where it is not: its outcome is unknown", async () => {
    const world = await createWorld()
    world.between = overtaken()
    const error = await errorOf(world.client.fetch("/a", { method: "POST", body: "{}" }))
    expect(error).toMatchObject({ code: "ERR_REPLAYED" })
    expect(world.handled).toHaveLength(1)
  })
})

describe("a clock that is wrong", () => {
  const HOUR_MS = 3_600_000
  const late = { clock: () => Date.now() - HOUR_MS }

  test.each(["GET", "POST"])("is corrected by a stale answer: one retry of a %s, at once", async (method) => {
    const waits: number[] = []
    const world = await createWorld({
      client: { ...late, retry: { attempts: 1 } },
      timing: instantTiming(waits),
    })
    expect((await world.client.fetch("/a", { method })).status).toBe(200)
    expect(world.sent).toHaveLength(2)
    expect(world.handled).toHaveLength(1)
    expect(waits).toEqual([])
    const [offset] = world.events.filter((event) => event.type === "time-offset")
    expect(Math.abs((offset?.offsetMs ?? 0) - HOUR_MS)).toBeLessThan(10_000)
  })

  test("stays corrected for this client, and for no other", async () => {
    const world = await createWorld({ client: late })
    await world.client.fetch("/a")
    await world.client.fetch("/a")
    expect(world.sent).toHaveLength(3)
    const other = await createWorld({ client: late })
    await other.client.fetch("/a")
    expect(other.sent).toHaveLength(2)
  })

  test("is ERR_STALE when the corrected request is stale again, after one retry", async () => {
    let serverMs = Date.now()
    const clock = (): number => (serverMs += HOUR_MS)
    const replay = createReplayGuard({ store: memoryStore({ clock }), clock })
    const world = await createWorld({ client: late, endpoint: { replay } })
    const error = await errorOf(world.client.fetch("/a"))
    expect(error).toMatchObject({ code: "ERR_STALE", requestId: expect.any(String) })
    expect(world.sent).toHaveLength(2)
    expect(world.handled).toEqual([])
  })

  test.each([undefined, "1790000000", 0, 1e10, 1.5])("believes no time of %j", async (now) => {
    const world = await createWorld()
    world.handler = () =>
      Response.json(
        { type: "urn:sealwire:stale", now },
        { status: 400, headers: { "content-type": "application/problem+json" } },
      )
    expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_STALE" })
    expect(world.sent).toHaveLength(1)
  })
})

describe("a sealed answer with Retry-After", () => {
  const limited = (type: string, status: number): Response =>
    Response.json(
      { type },
      { status, headers: { "content-type": "application/problem+json", "retry-after": "2" } },
    )
  const busy = async (world: World, type: string, status: number, times: number): Promise<void> => {
    world.handler = () => (world.handled.length <= times ? limited(type, status) : new Response("done"))
  }

  test.each(METHODS)("lets a rate-limited %s come again, for it did not run", async (method) => {
    const waits: number[] = []
    const world = await createWorld({ timing: instantTiming(waits) })
    await busy(world, "urn:sealwire:rate-limited", 429, 1)
    expect((await world.client.fetch("/a", { method })).status).toBe(200)
    expect(waits).toEqual([2150])
  })

  test.each(METHODS)(
    "lets a %s come again after the application's own 503 only where that is safe",
    async (method) => {
      const world = await createWorld()
      await busy(world, "about:blank", 503, 1)
      const { status } = await world.client.fetch("/a", { method })
      expect(status).toBe(REPEATABLE.includes(method) ? 200 : 503)
    },
  )

  test("is handed out when attempts or budget are used up", async () => {
    const world = await createWorld({ client: { budgetMs: 2100 } })
    await busy(world, "urn:sealwire:rate-limited", 429, 9)
    const response = await world.client.fetch("/a")
    expect(response.status).toBe(429)
    expect(response.headers.get("retry-after")).toBe("2")
    expect(world.sent).toHaveLength(1)
  })
})

test("a sealed 429 or 503 without Retry-After is the answer", async () => {
  const world = await createWorld()
  world.handler = () => new Response("busy", { status: 503 })
  expect((await world.client.fetch("/a")).status).toBe(503)
  expect(world.sent).toHaveLength(1)
})

test.each(["unauthorized", "forbidden"])("a sealed %s is an answer", async (name) => {
  const status = name === "forbidden" ? 403 : 401
  const world = await createWorld()
  world.handler = () =>
    Response.json(
      { type: `urn:sealwire:${name}` },
      { status, headers: { "content-type": "application/problem+json" } },
    )
  expect((await world.client.fetch("/a")).status).toBe(status)
})

test.each(["stale", "rate-limited", "replayed", "fields", "mismatch"])(
  "a sealed problem %s under a status that is not its own is an answer, and nothing is repeated",
  async (name) => {
    const world = await createWorld()
    const headers = { "content-type": "application/problem+json", "retry-after": "1" }
    world.handler = () =>
      Response.json({ type: `urn:sealwire:${name}`, now: 1_800_000_000 }, { status: 500, headers })
    const answer = await world.client.fetch("/a", { method: "POST", body: "{}" })
    expect(answer.status).toBe(500)
    expect(world.sent).toHaveLength(1)
  },
)

test("an unsealed refusal with Retry-After says so on the error", async () => {
  const world = await createWorld()
  world.between = toAll(plain(503, { "retry-after": "7" }))
  const error = await errorOf(world.client.fetch("/a", { method: "POST", body: "{}" }))
  expect(error).toMatchObject({ code: "ERR_UNSEALED", outerStatus: 503, retryAfterSeconds: 7 })
})

type Trouble = "lost before" | "lost after" | "stripped" | "busy" | "overtaken" | "none"
const trouble = fc.constantFrom<Trouble[]>(
  "lost before",
  "lost after",
  "stripped",
  "busy",
  "overtaken",
  "none",
)

/** What is on the way does its worst, one attempt after the other. */
async function endure(
  troubles: readonly Trouble[],
  method: string,
  client: Partial<ClientOptions>,
): Promise<World> {
  const world = await createWorld({ client })
  world.between = toAll(async (sent, count, pass) => {
    const now = troubles[count - 1] ?? "none"
    if (now === "lost before") lost()
    if (now === "busy") return plain(503)()
    if (now === "overtaken") await pass(sent)
    const answer = await pass(sent)
    if (now === "lost after") lost()
    return now === "stripped" ? new Response("{}", { status: answer.status }) : answer
  })
  await world.client
    .fetch("/a", { method, ...(method === "GET" ? {} : { body: "{}" }) })
    .catch(() => undefined)
  return world
}

test(
  "whatever happens on the way, an unsafe request is acted on at most once",
  { timeout: TIMEOUT_MS },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(trouble, { maxLength: 4 }),
        fc.constantFrom("POST", "PATCH", "PUT", "GET"),
        async (troubles, method) => {
          const world = await endure(troubles, method, { retry: { attempts: 4 } })
          expect(new Set(world.sent.map((sent) => headerOf(sent).jti)).size).toBe(world.sent.length)
          expect(world.sent.length).toBeLessThanOrEqual(4)
          const keys = world.handled.map(({ headers }) => headers.get("idempotency-key"))
          expect(new Set(keys).size).toBeLessThanOrEqual(1)
          if (method === "POST" || method === "PATCH") {
            expect(world.sent).toHaveLength(1)
            expect(world.handled.length).toBeLessThanOrEqual(1)
          }
        },
      ),
      runs(60),
    )
  },
)
