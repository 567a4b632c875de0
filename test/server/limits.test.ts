import { RateLimiterMemory } from "rate-limiter-flexible"
import { describe, expect, it, vi } from "vitest"

import {
  type CreateLimiterOptions,
  type EndpointEvent,
  type EndpointOptions,
  type Limiter,
  memoryIdempotencyStore,
} from "../../src/server.ts"
import { createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { createReplayGuard, memoryStore } from "../../src/index.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { windowLimiter } from "../../src/server/window-limiter.ts"
import { createTestClock, type TestClock } from "../../src/testing.ts"
import { endpointWith, freshGuard, type Sealed, sealedRequest, serverKey } from "../support/sealed-http.ts"

const ROUTES = { "/high": "high", "/medium": "medium", "/low": "low" } as const
const ok = (): Response => new Response("ok")
const peer = (address: string): { address: string; encrypted: true } => ({ address, encrypted: true })
const CLIENT = peer("203.0.113.7")

interface Limited {
  readonly clock: TestClock
  readonly events: EndpointEvent[]
  /** Opened messages, each of which took an RSA operation. */
  readonly opened: () => number
  send(request: Request, from?: { address: string }): Promise<Response>
}

async function limited(options: Partial<EndpointOptions> = {}): Promise<Limited> {
  const clock = createTestClock()
  const store = memoryStore({ dangerouslyForgetOnRestart: true, clock })
  const events: EndpointEvent[] = []
  const key = await serverKey()
  const endpoint = await endpointWith({
    keys: key,
    replay: createReplayGuard({ store, clock }),
    routes: ROUTES,
    limits: {},
    refusalFloorMs: 0,
    onEvent: (event) => events.push(event),
    ...options,
  })
  return {
    clock,
    events,
    opened: () => events.filter(({ type }) => type === "answered" || type === "problem").length,
    send: (request, from = CLIENT) => endpoint.handle(request, ok, { encrypted: true, ...from }),
  }
}

/** Of the clock of the tests, which does not move by itself. */
const sealedAt = ({ clock }: Limited, path: string, draft = {}): Promise<Sealed> =>
  sealedRequest({ path, fresh: { issuedAtSeconds: Math.floor(clock() / 1000) }, ...draft })

describe.each([
  ["high", 5],
  ["medium", 30],
  ["low", 60],
] as const)("on a %s route", (level, most) => {
  it(`a source has ${most} requests a minute; the next one costs no RSA operation`, async () => {
    const world = await limited()
    const { send, clock } = world
    for (let count = 0; count < most; count++) {
      expect((await send((await sealedAt(world, `/${level}`)).request)).status).toBe(200)
    }
    const refused = await send((await sealedAt(world, `/${level}`)).request)
    expect(refused.status).toBe(429)
    expect(refused.headers.get("retry-after")).toBe("60")
    expect(refused.headers.get("ratelimit")).toBe(`"${level}";r=0;t=60`)
    expect(refused.headers.get("ratelimit-policy")).toBe(`"${level}";q=${most};w=60`)
    expect(refused.headers.get("content-type")).toBe("application/problem+json")
    expect(world.opened()).toBe(most)
    expect(world.events.at(-1)).toMatchObject({
      type: "refused",
      status: 429,
      reason: "source-limit",
      source: "203.0.113.7",
    })
    expect((await send((await sealedAt(world, `/${level}`)).request, peer("203.0.113.8"))).status).toBe(200)
    clock.advance(60_000)
    expect((await send((await sealedAt(world, `/${level}`)).request)).status).toBe(200)
  })
})

describe("limits by source", () => {
  it("count what cannot be opened, levels apart, and a /64 as one", async () => {
    const world = await limited()
    const junk = (path: string): Request =>
      new Request(`https://api.example.com${path}`, {
        method: "POST",
        headers: { "content-type": "application/jose" },
        body: "junk",
      })
    const statuses = []
    for (let host = 1; host <= 6; host++) {
      statuses.push((await world.send(junk("/high"), peer(`2001:db8::${host}`))).status)
    }
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429])
    expect((await world.send(junk("/medium"), peer("2001:db8::1"))).status).toBe(400)
    expect((await world.send(junk("/high"), peer("2001:db8:0:1::1"))).status).toBe(400)
  })

  it("leave what nobody can be told from alone, and warn once", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue(undefined)
    const events: EndpointEvent[] = []
    const endpoint = await endpointWith({
      routes: ROUTES,
      limits: { bySource: { low: 1 } },
      onEvent: (event) => events.push(event),
    })
    const get = (): Promise<Response> => endpoint.handle(new Request("https://api.example.com/low"), ok)
    expect([(await get()).status, (await get()).status]).toEqual([200, 200])
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([{ warning: "source-unknown" }])
    expect(warn.mock.calls.length).toBe(1)
  })
})

describe("limits by who is proven", () => {
  it("follow a signer through all sources, and refuse sealed", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const other = await generateSigningKeyPair()
    const world = await limited({ signedBy: [verifyingKey, other.verifyingKey] })
    const signed = (signWith = signingKey): Promise<Sealed> => sealedAt(world, "/high", { signWith })
    for (let host = 1; host <= 5; host++) {
      expect((await world.send((await signed()).request, peer(`198.51.100.${host}`))).status).toBe(200)
    }
    const sixth = await signed()
    const answer = await sixth.read(await world.send(sixth.request, peer("198.51.100.6")))
    expect(answer.status).toBe(429)
    expect(JSON.parse(answer.text)).toMatchObject({ type: "urn:sealwire:rate-limited" })
    expect(answer.headers.get("retry-after")).toBe("60")
    expect(answer.outer.headers.get("retry-after")).toBe("60")
    expect(answer.headers.get("ratelimit-policy")).toBe('"high";q=5;w=60')
    const of = await signed(other.signingKey)
    expect((await world.send(of.request, peer("198.51.100.7"))).status).toBe(200)
  })

  it("follow a principal through all of his keys; wrong ones that name his cost him nothing", async () => {
    const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
    const [one, other] = await Promise.all([
      apiKeys.create({ principal: "acme" }),
      apiKeys.create({ principal: "acme" }),
    ])
    const world = await limited({ authenticate: { apiKeys } })
    let host = 1
    const ask = async (key: string, path = "/high"): Promise<number> => {
      const headers = [["authorization", `Bearer ${key}`]] as const
      const { request } = await sealedAt(world, path, { headers })
      return (await world.send(request, peer(`198.51.100.${host++}`))).status
    }
    const wrong = one.key.slice(0, -1) + (one.key.endsWith("a") ? "b" : "a")
    for (let count = 0; count < 10; count++) expect(await ask(wrong)).toBe(401)
    const statuses = []
    for (const { key } of [one, other, one, other, one, other]) statuses.push(await ask(key))
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    // levels are counted apart
    expect(await ask(one.key, "/medium")).toBe(200)
  })

  it("refuse an open request unsealed", async () => {
    const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
    const { key } = await apiKeys.create({ principal: "acme" })
    const world = await limited({ authenticate: { apiKeys }, limits: { byPrincipal: { low: 2 } } })
    const statuses = []
    for (let host = 1; host <= 3; host++) {
      const headers = { authorization: `Bearer ${key}` }
      const request = new Request("https://api.example.com/low", { headers })
      statuses.push((await world.send(request, peer(`198.51.100.${host}`))).status)
    }
    expect(statuses).toEqual([200, 200, 429])
    expect(world.events.at(-1)).toMatchObject({ type: "refused", reason: "principal-limit" })
  })

  it("are not used up by a flood of copies, or of junk that names the victim", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const world = await limited({ signedBy: verifyingKey })
    const first = await sealedAt(world, "/high", { signWith: signingKey })
    expect((await world.send(first.again())).status).toBe(200)
    for (let host = 1; host <= 20; host++) {
      const copy = await world.send(first.again(), peer(`198.51.100.${host}`))
      expect(copy.status).toBe(409)
      const tampered = new Request("https://api.example.com/high", {
        method: "POST",
        headers: { "content-type": "application/jose" },
        body: `${first.envelope.slice(0, -4)}AAAA`,
      })
      expect((await world.send(tampered, peer(`198.51.100.${host}`))).status).toBe(400)
    }
    for (let own = 2; own <= 5; own++) {
      const next = await sealedAt(world, "/high", { signWith: signingKey })
      expect((await world.send(next.request)).status).toBe(200)
    }
  })
})

describe("what an answer says of its limit", () => {
  const ratelimit = ({ headers }: { readonly headers: Headers }): (string | null)[] =>
    ["ratelimit", "ratelimit-policy"].map((name) => headers.get(name))

  it("is what is left to whoever is proven, from wherever, and stands inside only", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const world = await limited({ signedBy: [verifyingKey] })
    for (const [host, left] of [4, 3].entries()) {
      const sent = await sealedAt(world, "/high", { signWith: signingKey })
      const answer = await sent.read(await world.send(sent.request, peer(`198.51.100.${host}`)))
      expect(ratelimit(answer)).toEqual([`"high";r=${left};t=60`, '"high";q=5;w=60'])
      expect(ratelimit(answer.outer)).toEqual([null, null])
      expect(answer.headers.get("retry-after")).toBe(null)
    }
    world.clock.advance(20_500)
    const later = await sealedAt(world, "/high", { signWith: signingKey })
    expect(ratelimit(await later.read(await world.send(later.request)))[0]).toBe('"high";r=2;t=40')
  })

  it("is nothing where nobody is proven: a source's count is of all who share it", async () => {
    const world = await limited()
    const sent = await sealedAt(world, "/medium")
    const answer = await sent.read(await world.send(sent.request))
    expect([...ratelimit(answer), ...ratelimit(answer.outer)]).toEqual([null, null, null, null])
    const open = await world.send(new Request("https://api.example.com/low"))
    expect([open.status, ...ratelimit(open)]).toEqual([200, null, null])
  })

  it("is nothing in a refusal before the count, sealed or not", async () => {
    const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
    const world = await limited({ authenticate: { apiKeys } })
    const sent = await sealedAt(world, "/high")
    const answer = await sent.read(await world.send(sent.request))
    expect([answer.status, ...ratelimit(answer), ...ratelimit(answer.outer)]).toEqual([
      401,
      ...Array<null>(4).fill(null),
    ])
    const headers = { "content-type": "application/jose" }
    const junk = await world.send(
      new Request("https://api.example.com/high", { method: "POST", headers, body: "junk" }),
    )
    expect([junk.status, ...ratelimit(junk)]).toEqual([400, null, null])
  })

  it("is a handler's own where it has one", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const endpoint = await endpointWith({ signedBy: [verifyingKey], limits: {} })
    const sent = await sealedRequest({ signWith: signingKey })
    const own = (): Response => new Response("", { headers: { ratelimit: '"mine";r=1' } })
    const answer = await sent.read(await endpoint.handle(sent.request, own, CLIENT))
    expect(ratelimit(answer)[0]).toBe('"mine";r=1')
  })

  it("is of now in an answer that is repeated", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const idempotency = { store: memoryIdempotencyStore() }
    const endpoint = await endpointWith({ signedBy: [verifyingKey], limits: {}, idempotency })
    const left: (string | null | undefined)[] = []
    for (let count = 0; count < 2; count++) {
      const sent = await sealedRequest({ headers: [["idempotency-key", "a"]], signWith: signingKey })
      const answer = await sent.read(await endpoint.handle(sent.request, ok, CLIENT))
      left.push(ratelimit(answer)[0]?.replace(/;t=.*/, ""))
    }
    expect(left).toEqual(['"medium";r=29', '"medium";r=28'])
  })
})

describe("a shared limiter", () => {
  const low = (): Request => new Request("https://api.example.com/low")

  it("of rate-limiter-flexible is asked with the options that it takes", async () => {
    const made: CreateLimiterOptions[] = []
    const world = await limited({
      limits: {
        bySource: { low: 2 },
        createLimiter(options) {
          made.push(options)
          return new RateLimiterMemory({ ...options })
        },
      },
    })
    expect(made).toContainEqual({ keyPrefix: "sealwire:source:low", points: 2, duration: 60 })
    expect(new Set(made.map(({ keyPrefix }) => keyPrefix)).size).toBe(8)
    const statuses = [await world.send(low()), await world.send(low()), await world.send(low())]
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(statuses[2]?.headers.get("retry-after")).toMatch(/^(?:59|60)$/)
  })

  it.each<[string, () => Limiter]>([
    ["that rejects", () => ({ consume: () => Promise.reject(new Error("redis is down")) })],
    [
      "that throws",
      () => ({
        consume() {
          throw new Error("redis is down")
        },
      }),
    ],
    ["that never answers", () => ({ consume: () => new Promise(() => undefined) })],
  ])("%s is replaced by this process, never by none, and the operator is told", async (_, createLimiter) => {
    const world = await limited({ limits: { bySource: { low: 2 }, createLimiter } })
    const statuses = []
    for (let count = 0; count < 3; count++) statuses.push((await world.send(low())).status)
    expect(statuses).toEqual([200, 200, 429])
    expect(world.events.filter(({ type }) => type === "limiter-failed").length).toBe(3)
  })
})

describe("a limiter in this process", () => {
  it("lets N through in each window, so at most 2N - 1 in any window's length", () => {
    const clock = createTestClock()
    const count = windowLimiter({ points: 3, duration: 60 }, clock)
    const passes = (): boolean => !count("a").isExceeded
    expect(passes()).toBe(true)
    clock.advance(59_999)
    const around = [passes(), passes(), passes()]
    clock.advance(1)
    around.push(passes(), passes(), passes(), passes())
    expect(around).toEqual([true, true, false, true, true, true, false])
  })

  it("is not stopped by a clock that is set back", () => {
    const clock = createTestClock()
    const count = windowLimiter({ points: 1, duration: 60 }, clock)
    count("a")
    clock.advance(-600_000)
    expect(count("a")).toEqual({ remaining: 0, endsInMs: 60_000, isExceeded: false })
    expect(count("a")).toEqual({ remaining: 0, endsInMs: 60_000, isExceeded: true })
  })

  it("holds no more than 100,000 windows, and forgets the oldest", () => {
    const count = windowLimiter({ points: 1, duration: 60 }, createTestClock())
    count("first")
    for (let source = 0; source < 100_000; source++) count(String(source))
    expect(count("99999").isExceeded).toBe(true)
    expect(count("first").isExceeded).toBe(false)
  })
})

it.each([
  [{ bySource: { high: 0 } }, RangeError],
  [{ bySource: { top: 5 } }, TypeError],
  [{ byPrincipal: { directory: 5 } }, TypeError],
  [{ createLimiter: () => ({}) }, TypeError],
  [true, TypeError],
] as const)("refuses the limits %j", async (limits, error) => {
  await expect(endpointWith({ replay: freshGuard(), limits: limits as never })).rejects.toThrow(error)
})
