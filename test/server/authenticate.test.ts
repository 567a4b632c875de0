import { inspect } from "node:util"
import { describe, expect, it } from "vitest"

import { type ApiKeys, createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { SealwireError } from "../../src/index.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import {
  type AuthenticateToken,
  type Endpoint,
  type EndpointEvent,
  type EndpointOptions,
  type Handler,
  memoryIdempotencyStore,
} from "../../src/server.ts"
import { endpointWith, exchange, ORIGIN, sealedRequest } from "../support/sealed-http.ts"

const ROUTES = {
  "POST /transfers": { level: "high", scopes: ["transfers:write"] },
  "/account": "high",
  "/notes": "medium",
  "/reports": { level: "medium", scopes: ["reports:read"] },
  "/status": "low",
  "/metrics": { level: "low", scopes: ["metrics:read"] },
} as const

const tellPrincipal: Handler = (_, { principal }) => Response.json(principal ?? null)
const unreachable: Handler = () => {
  throw new Error("the handler ran")
}
const bearer = (key: string) => [["authorization", `Bearer ${key}`]] as const
const changed = (key: string): string => key.slice(0, -1) + (key.endsWith("a") ? "b" : "a")

interface World {
  readonly apiKeys: ApiKeys
  readonly endpoint: Endpoint
  readonly events: EndpointEvent[]
}

async function world(options: Partial<EndpointOptions> = {}): Promise<World> {
  const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
  const events: EndpointEvent[] = []
  const endpoint = await endpointWith({
    routes: ROUTES,
    authenticate: { apiKeys },
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { apiKeys, endpoint, events }
}

describe("an endpoint with API keys", () => {
  it("gives the handler the principal, and not the key", async () => {
    const { apiKeys, endpoint, events } = await world()
    const { key } = await apiKeys.create({ principal: "acme", scopes: ["transfers:write", "other"] })
    let headers: string[] = []
    const answer = await exchange(
      endpoint,
      { headers: [...bearer(key), ["x-a", "1"]] },
      (request, details) => {
        headers = [...request.headers.keys()]
        return tellPrincipal(request, details)
      },
    )
    expect(JSON.parse(answer.text)).toEqual({
      id: "acme",
      kind: "api-key",
      scopes: ["transfers:write", "other"],
    })
    expect(headers).toEqual(["x-a"])
    expect(events).toEqual([expect.objectContaining({ type: "answered", principal: "acme" })])
  })

  it("demands one on high routes and where scopes are named, and takes one if there is on others", async () => {
    const { apiKeys, endpoint } = await world()
    const { key } = await apiKeys.create({ principal: "acme" })
    for (const path of ["/account", "/reports"]) {
      const answer = await exchange(endpoint, { path }, unreachable)
      expect(answer.status).toBe(401)
      expect(JSON.parse(answer.text)).toMatchObject({ type: "urn:sealwire:unauthorized" })
    }
    for (const path of ["/notes", "/status"]) {
      expect((await exchange(endpoint, { path }, tellPrincipal)).text).toBe("null")
      const known = await exchange(endpoint, { path, headers: bearer(key) }, tellPrincipal)
      expect(JSON.parse(known.text)).toMatchObject({ id: "acme" })
    }
  })

  it("answers every key that is no good in the same way, sealed, and tells only the operator why", async () => {
    const { apiKeys, endpoint, events } = await world()
    const create = (scopes: string[]) => apiKeys.create({ principal: "acme", scopes })
    const [good, revoked, expired, other] = [
      await create(["transfers:write"]),
      await create(["transfers:write"]),
      await create(["transfers:write"]),
      await create(["reports:read"]),
    ]
    await apiKeys.revoke(revoked.id)
    await apiKeys.rotate(expired.id, { overlapSeconds: 0 })
    const tries: Readonly<Record<string, Parameters<typeof exchange>[1]>> = {
      wrong: { headers: bearer(changed(good.key)) },
      unknown: { headers: bearer(`sw_${"a".repeat(16)}_${"a".repeat(32)}`) },
      revoked: { headers: bearer(revoked.key) },
      expired: { headers: bearer(expired.key) },
      "of another scope": { headers: bearer(other.key) },
      "its id only": { headers: bearer(good.key.slice(0, 19)) },
      "1 MB": { headers: bearer(good.key + "a".repeat(1_000_000)) },
      "in the query": { path: `/transfers?api_key=${good.key}` },
      "in the query, beside a good one": { path: `/transfers?k=${good.key}`, headers: bearer(good.key) },
      "of another scheme": { headers: [["authorization", `Basic ${good.key}`]] },
      "two at once": { headers: [...bearer(good.key), ...bearer(good.key)] },
      missing: {},
    }
    const answers = new Set<string>()
    for (const draft of Object.values(tries)) {
      const large = await endpointWith({
        routes: ROUTES,
        authenticate: { apiKeys },
        maxMessageBytes: 2_000_000,
        onEvent: (event) => events.push(event),
      })
      const { status, text, headers, outer } = await exchange(large, draft, unreachable)
      answers.add(JSON.stringify([status, text, [...headers], outer.status, [...outer.headers.keys()]]))
    }
    expect(answers).toHaveLength(1)
    expect([...answers][0]).toContain("urn:sealwire:unauthorized")
    const reasons = ["wrong", "unknown", "ended", "ended", "scope", "malformed", "malformed"]
    reasons.push("in-query", "in-query", "malformed", "malformed", "missing")
    expect(events.map((event) => event.type === "problem" && event.reason)).toEqual(reasons)
    for (const { key } of [good, revoked, other]) expect(inspect(events)).not.toContain(key.slice(-32))
    expect((await exchange(endpoint, { headers: bearer(good.key) }, tellPrincipal)).status).toBe(200)
  })

  it("answers them in the same way at low, unsealed, where they came unsealed", async () => {
    const { apiKeys, endpoint, events } = await world()
    const good = await apiKeys.create({ principal: "acme", scopes: ["metrics:read"] })
    const other = await apiKeys.create({ principal: "acme" })
    const ask = (path: string, key?: string, next = unreachable) =>
      endpoint.handle(
        new Request(ORIGIN + path, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } }),
        next,
      )
    const answers = new Set<string>()
    for (const response of [
      await ask("/metrics"),
      await ask("/metrics", changed(good.key)),
      await ask("/metrics", other.key),
      await ask("/metrics", good.key.slice(0, 19)),
      await ask("/status", changed(good.key)),
      await ask(`/status?key=${good.key}`),
    ]) {
      answers.add(JSON.stringify([response.status, [...response.headers], await response.text()]))
    }
    expect(answers).toHaveLength(1)
    expect([...answers][0]).toMatch(/401.*www-authenticate.*about:blank/)
    expect([...answers][0]).not.toContain("session")
    expect(events).toHaveLength(6)
    expect(events[1]).toMatchObject({ type: "refused", status: 401, reason: "wrong" })
    const answer = await ask("/metrics", good.key, tellPrincipal)
    expect(await answer.json()).toMatchObject({ id: "acme", kind: "api-key" })
    expect(await (await ask("/status", undefined, tellPrincipal)).json()).toBeNull()
  })

  it("goes on for the owner of an id that others try by the hundred", async () => {
    const { apiKeys, endpoint } = await world()
    const { key, id } = await apiKeys.create({ principal: "acme" })
    const flood = Array.from({ length: 100 }, () =>
      exchange(endpoint, { path: "/account", headers: bearer(changed(key)) }, unreachable),
    )
    expect((await Promise.all(flood)).map(({ status }) => status)).toEqual(Array(100).fill(401))
    expect((await apiKeys.list())[0]).toMatchObject({ id, lastUsedAtMs: undefined })
    const mine = await exchange(endpoint, { path: "/account", headers: bearer(key) }, tellPrincipal)
    expect(mine.status).toBe(200)
  })

  it("answers 503, and runs no handler, when the keys cannot be looked up", async () => {
    const store = { ...memoryApiKeyStore(), find: () => Promise.reject(new Error("postgres://user:pw@db")) }
    const { endpoint } = await world({ authenticate: { apiKeys: createApiKeys({ store }) } })
    const key = `sw_${"a".repeat(16)}_${"a".repeat(32)}`
    const sealed = await sealedRequest({ path: "/notes", headers: bearer(key) })
    const response = await endpoint.handle(sealed.request, unreachable)
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain("postgres")
  })

  it("keeps idempotency keys by principal, so that they outlive a rotation and are not shared", async () => {
    const { apiKeys, endpoint } = await world({ idempotency: { store: memoryIdempotencyStore() } })
    const old = await apiKeys.create({ principal: "acme" })
    const fresh = await apiKeys.rotate(old.id)
    const other = await apiKeys.create({ principal: "globex" })
    let ran = 0
    const ask = async (key: string): Promise<string> => {
      const headers = [...bearer(key), ["idempotency-key", "k-1"]] as const
      const answer = await exchange(
        endpoint,
        { path: "/account", headers },
        () => new Response(String(++ran)),
      )
      return answer.text
    }
    expect(await ask(old.key)).toBe("1")
    expect(await ask(old.key)).toBe("1")
    expect(await ask(other.key)).toBe("2")
    // another key is another message, and so a conflict: not a second run
    expect(await ask(fresh.key)).toContain("idempotency key")
    expect(ran).toBe(2)
  })
})

describe("an endpoint with a hook for tokens", () => {
  const hook: AuthenticateToken = ({ headers }) =>
    headers.get("authorization") === "Bearer good.jwt" ? { id: "ann", scopes: ["reports:read"] } : undefined

  it("takes what the hook found as the principal, and leaves the body to the handler", async () => {
    const seen: unknown[] = []
    const token: AuthenticateToken = async (request, details) => {
      seen.push(await request.text(), request.method, request.url, details.level, details.sealed)
      return hook(request, details)
    }
    const { endpoint } = await world({ authenticate: { token } })
    const answer = await exchange(
      endpoint,
      { path: "/reports?a=1", headers: bearer("good.jwt"), body: "body" },
      async (request, { principal }) => Response.json({ principal, body: await request.text() }),
    )
    expect(JSON.parse(answer.text)).toEqual({
      principal: { id: "ann", kind: "token", scopes: ["reports:read"] },
      body: "body",
    })
    expect(seen).toEqual(["", "POST", `${ORIGIN}/reports?a=1`, "medium", true])
  })

  it("refuses a token that it does not know on every route, and one without a scope as forbidden", async () => {
    const { endpoint, events } = await world({ authenticate: { token: hook } })
    for (const path of ["/account", "/notes", "/status"]) {
      const answer = await exchange(endpoint, { path, headers: bearer("bad.jwt") }, unreachable)
      expect(answer.text).toContain("urn:sealwire:unauthorized")
    }
    const answer = await exchange(endpoint, { headers: bearer("good.jwt") }, unreachable)
    expect(answer.status).toBe(403)
    expect(answer.text).toContain("urn:sealwire:forbidden")
    expect(events.at(-1)).toMatchObject({ problem: "forbidden", reason: "scope" })
  })

  it("refuses when the hook throws, and answers 503 when it says that it could not ask", async () => {
    const failing = await world({ authenticate: { token: () => Promise.reject(new Error("JWTExpired")) } })
    const answer = await exchange(failing.endpoint, { path: "/account", headers: bearer("a.b") }, unreachable)
    expect(answer.text).toContain("urn:sealwire:unauthorized")
    const error = new SealwireError("ERR_KEY_UNAVAILABLE", "no JWKS")
    const away = await world({ authenticate: { token: () => Promise.reject(error) } })
    const sealed = await sealedRequest({ path: "/account", headers: bearer("a.b") })
    expect((await away.endpoint.handle(sealed.request, unreachable)).status).toBe(503)
  })

  it("tells the programmer whose hook gives something else", async () => {
    const token = (() => ({ id: "ann" })) as unknown as AuthenticateToken
    const { endpoint } = await world({ authenticate: { token } })
    const { request } = await sealedRequest({ path: "/notes" })
    await expect(endpoint.handle(request, unreachable)).rejects.toThrow(/token must give/)
  })

  it("asks it about what is no API key, and never about one that is", async () => {
    const asked: (string | null)[] = []
    const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
    const token: AuthenticateToken = ({ headers }) => {
      asked.push(headers.get("authorization"))
      return undefined
    }
    const { endpoint } = await world({ authenticate: { apiKeys, token } })
    const { key } = await apiKeys.create({ principal: "acme" })
    const headersOf = [bearer(key), bearer(changed(key)), bearer("x.y"), []]
    for (const headers of headersOf) await exchange(endpoint, { path: "/notes", headers }, tellPrincipal)
    expect(asked).toEqual(["Bearer x.y", null])
  })
})

describe("an endpoint's routes and authentication", () => {
  it("say once at the start which high routes nothing authenticates", async () => {
    const started = async (options: Partial<EndpointOptions>): Promise<EndpointEvent[]> => {
      const events: EndpointEvent[] = []
      await endpointWith({ onEvent: (event) => events.push(event), ...options })
      return events
    }
    const routes = { "/a": "high", "/b": "medium", "/c": { level: "high" } } as const
    expect(await started({ routes })).toMatchObject([
      { type: "unauthenticated-routes", routes: ["/a", "/c"] },
    ])
    const { verifyingKey } = await generateSigningKeyPair()
    expect(await started({ routes, signedBy: verifyingKey })).toEqual([])
    expect(await started({ routes, authenticate: { token: () => undefined } })).toEqual([])
    expect(await started({ routes: { "/a": "medium" } })).toEqual([])
  })

  it("must be told how to authenticate where they demand scopes", async () => {
    await expect(endpointWith({ routes: { "GET /a": { level: "low", scopes: ["x"] } } })).rejects.toThrow(
      /"GET \/a" of options.routes demands scopes/,
    )
  })

  it.each([
    [{ authenticate: {} }],
    [{ authenticate: { apiKeys: {} } }],
    [{ authenticate: { signingKeys: {} } }],
    [{ authenticate: { token: "jwt" } }],
    [{ authenticate: { jwt: () => undefined } }],
    [{ routes: { "/a": { level: "highest" } } }],
    [{ routes: { "/a": { level: "high", scopes: "all" } } }],
    [{ routes: { "/a": { level: "high", scopes: [""] } } }],
    [{ routes: { "/a": { scope: "high" } } }],
    [{ routes: { "/a": null } }],
  ])("are refused as %j", async (options) => {
    await expect(endpointWith(options as Partial<EndpointOptions>)).rejects.toThrow(TypeError)
  })
})

it("leaves the handler of an endpoint that does not authenticate what it had: the header, and no principal", async () => {
  const { signingKey, verifyingKey } = await generateSigningKeyPair()
  const events: EndpointEvent[] = []
  const endpoint = await endpointWith({
    routes: { "/**": "high" },
    knownSigners: [verifyingKey],
    onEvent: (event) => events.push(event),
  })
  expect(events).toMatchObject([{ type: "unauthenticated-routes", routes: ["/**"] }])
  const answer = await exchange(
    endpoint,
    { headers: bearer("x"), signWith: signingKey },
    (request, details) =>
      Response.json([request.headers.get("authorization"), details.signer, details.principal ?? null]),
  )
  expect(JSON.parse(answer.text)).toEqual(["Bearer x", verifyingKey.kid, null])
})
