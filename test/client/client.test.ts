import { expect, test, vi } from "vitest"

import { MAX_MESSAGE_BYTES } from "../../src/base/limits.ts"
import { createClient } from "../../src/client.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { createWorld, envelopeOf, ORIGIN, serverKey } from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"

const post = (body: BodyInit = '{"cents":12000}', init: RequestInit = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json" },
  ...init,
})

test("gives the handler the inner request, and the caller the inner answer", async () => {
  const world = await createWorld()
  world.handler = async (request) =>
    Response.json(
      {
        method: request.method,
        url: request.url,
        token: request.headers.get("authorization"),
        body: await request.json(),
      },
      { status: 201, headers: { location: "/transfers/7" } },
    )
  const response = await world.client.fetch("/transfers?draft=1", {
    method: "POST",
    body: '{"cents":1}',
    headers: { authorization: "Bearer t", "content-type": "application/json" },
  })
  expect(response).toBeInstanceOf(Response)
  expect(response.status).toBe(201)
  expect(response.ok).toBe(true)
  expect(response.url).toBe(`${ORIGIN}/transfers?draft=1`)
  expect(response.headers.get("location")).toBe("/transfers/7")
  expect(await response.json()).toEqual({
    method: "POST",
    url: `${ORIGIN}/transfers?draft=1`,
    token: "Bearer t",
    body: { cents: 1 },
  })
})

test("shows the network neither the query, nor the headers, nor the body", async () => {
  const world = await createWorld()
  await world.client.fetch("/transfers?to=zoe", post('"secret"', { headers: { authorization: "Bearer t" } }))
  const [sent] = world.sent
  expect(sent).toMatchObject({ url: `${ORIGIN}/transfers`, method: "POST" })
  expect([...(sent?.headers ?? [])]).toEqual([["content-type", "application/jose"]])
  expect(envelopeOf(sent as never)).toMatch(/^[\w-]+(\.[\w-]+){4}$/)
})

test("sends the query outside only where it is told to", async () => {
  const world = await createWorld({ client: { sendQuery: true } })
  await world.client.fetch("/account?page=2")
  expect(world.sent[0]?.url).toBe(`${ORIGIN}/account?page=2`)
  expect(world.handled[0]?.url).toBe(`${ORIGIN}/account?page=2`)
})

test.each(["GET", "HEAD", "DELETE", "POST"])("puts a %s without a body into the header", async (method) => {
  const world = await createWorld()
  const response = await world.client.fetch("/account", { method })
  expect(response.status).toBe(200)
  expect(world.sent[0]?.headers.get("sealwire")).toMatch(/^ey/)
  expect(world.sent[0]?.body).toBe("")
})

test("puts a bodiless DELETE that is too long for the header into the body", async () => {
  const world = await createWorld()
  const headers = { "x-long": "x".repeat(6000) }
  const response = await world.client.fetch("/account", { method: "DELETE", headers })
  expect(response.status).toBe(200)
  expect(world.sent[0]?.headers.get("content-type")).toBe("application/jose")
})

test.each(["GET", "HEAD"])("refuses a %s that is too long for the header, and names POST", async (method) => {
  const world = await createWorld()
  const error = await errorOf(
    world.client.fetch("/account", { method, headers: { "x-long": "x".repeat(6000) } }),
  )
  expect(error).toMatchObject({ code: "ERR_TOO_LARGE", message: expect.stringContaining("use POST") })
  expect(world.sent).toEqual([])
})

test("refuses a request above 16 MiB before it asks for a key, and says which", async () => {
  const world = await createWorld()
  const body = new Uint8Array(MAX_MESSAGE_BYTES)
  const headers = { "x-request-id": "a1" }
  const error = await errorOf(world.client.fetch("/files", { method: "POST", body, headers }))
  expect(error).toMatchObject({
    code: "ERR_TOO_LARGE",
    requestId: "a1",
    message: expect.stringMatching(/above the limit of 16777216$/),
  })
  expect([world.sent.length, world.directoryFetches()]).toEqual([0, 0])
})

test.each([200, 204, 304, 403, 404, 409, 500])("hands out the application's own %i", async (status) => {
  const world = await createWorld()
  world.handler = () => new Response(status === 204 || status === 304 ? null : "why", { status })
  const response = await world.client.fetch("/account")
  expect(response.status).toBe(status)
  expect(await response.text()).toBe(status === 204 || status === 304 ? "" : "why")
})

test.each([
  ["a text", "grüße \ud800", {}, "text/plain;charset=UTF-8", "grüße \ufffd"],
  ["an empty text", "", {}, "text/plain;charset=UTF-8", ""],
  [
    "a text of a named type",
    "{}",
    { headers: { "content-type": "application/json" } },
    "application/json",
    "{}",
  ],
  ["bytes", new TextEncoder().encode("raw"), {}, null, "raw"],
])("carries %s with the type that the platform gives it", async (_, body, init, type, text) => {
  const world = await createWorld()
  world.handler = async (request) =>
    Response.json({ type: request.headers.get("content-type"), text: await request.text() })
  // members of init may be inherited, as the platform has it
  const inherited = Object.create({ method: "POST", body, ...init }) as RequestInit
  const response = await world.client.fetch("/a", inherited)
  expect(await response.json()).toEqual({ type, text })
  const platform = new Request(`${ORIGIN}/a`, inherited)
  expect([platform.headers.get("content-type"), await platform.text()]).toEqual([type, text])
})

test("takes what the platform's fetch takes: a string, a URL, a Request, with and without init", async () => {
  const world = await createWorld()
  const { fetch } = world.client
  const inputs = [
    fetch(`${ORIGIN}/a`),
    fetch(new URL("/a", ORIGIN)),
    fetch(new Request(`${ORIGIN}/a`)),
    fetch("a", post()),
    fetch(new Request(`${ORIGIN}/a`, post())),
    fetch(new Request(`${ORIGIN}/a`), { method: "PUT", body: new Uint8Array([1, 2]) }),
    fetch("/a", { method: "PATCH", body: new URLSearchParams({ a: "1" }) }),
  ]
  for (const response of await Promise.all(inputs)) expect(await response.json()).toEqual({ path: "/a" })
  const types = world.handled.map(({ method, headers }) => [method, headers.get("content-type")])
  expect(types).toContainEqual(["PATCH", "application/x-www-form-urlencoded;charset=UTF-8"])
})

test("resolves relative URLs against baseUrl, path included", async () => {
  const world = await createWorld({ client: { baseUrl: `${ORIGIN}/v1/` } })
  await world.client.fetch("users")
  expect(world.sent[0]?.url).toBe(`${ORIGIN}/v1/users`)
})

test.each(["https://other.example/a", "//other.example/a", "http://api.example.com/a", "data:,a"])(
  "refuses %s, which is another origin",
  async (url) => {
    const world = await createWorld()
    await expect(world.client.fetch(url)).rejects.toThrow(TypeError)
    expect(world.sent).toEqual([])
  },
)

test("leaves out headers of the connection, and refuses the one that carries the envelope", async () => {
  const world = await createWorld()
  await world.client.fetch("/a", { headers: { te: "trailers", upgrade: "h2c", "x-mine": "1" } })
  const names = [...(world.handled[0]?.headers.keys() ?? [])]
  expect(names).toContain("x-mine")
  expect(names).not.toContain("te")
  await expect(world.client.fetch("/a", { headers: { Sealwire: "e" } })).rejects.toThrow(/"sealwire"/)
})

test("sends named headers outside, too", async () => {
  const world = await createWorld({ client: { outerHeaders: ["Traceparent"] } })
  await world.client.fetch("/a", { headers: { traceparent: "00-1-2-01", "x-api-key": "k" } })
  expect(world.sent[0]?.headers.get("traceparent")).toBe("00-1-2-01")
  expect(world.sent[0]?.headers.has("x-api-key")).toBe(false)
  expect(world.handled[0]?.headers.get("traceparent")).toBe("00-1-2-01")
})

test("puts a request id on every message: the caller's, or one of its own", async () => {
  const world = await createWorld()
  const given = await world.client.fetch("/a", { headers: { "x-request-id": "r-1" } })
  const own = await world.client.fetch("/a")
  const other = await world.client.fetch("/a")
  const ids = [given, own, other].map(({ headers }) => headers.get("x-request-id"))
  expect(ids).toEqual(world.handled.map(({ headers }) => headers.get("x-request-id")))
  expect(ids[0]).toBe("r-1")
  expect(ids[1]).toMatch(/^[\w-]{22}$/)
  expect(new Set(ids).size).toBe(3)
})

test("puts an idempotency key on every request that is not safe, and keeps the caller's", async () => {
  const world = await createWorld()
  for (const method of ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]) {
    await world.client.fetch("/a", { method })
  }
  await world.client.fetch("/a", post("{}", { headers: { "idempotency-key": "mine" } }))
  const keys = world.handled.map(({ headers }) => headers.get("idempotency-key"))
  expect(keys.slice(0, 3)).toEqual([null, null, null])
  expect(new Set(keys.slice(3, 7)).size).toBe(4)
  expect(keys[7]).toBe("mine")
})

test("makes ids with the generator that it is given", async () => {
  let count = 0
  const world = await createWorld({ client: { generateId: () => `id-${++count}` } })
  const response = await world.client.fetch("/a", post())
  expect(response.headers.get("x-request-id")).toBe("id-1")
  expect(world.handled[0]?.headers.get("idempotency-key")).toBe("id-2")
})

test("signs with a key that cannot be exported", async () => {
  const { signingKey, verifyingKey } = await generateSigningKeyPair()
  const signers: unknown[] = []
  const world = await createWorld({ client: { signWith: signingKey }, endpoint: { signedBy: verifyingKey } })
  world.handler = (_, { signer }) => new Response(String(signers.push(signer)))
  expect((await world.client.fetch("/a")).status).toBe(200)
  expect(signers).toEqual([verifyingKey.kid])
})

test("hands out a long answer as a stream, chunk by chunk", async () => {
  const world = await createWorld({ endpoint: { streamAfterMs: 0 } })
  const source = new TransformStream<Uint8Array, Uint8Array>()
  const writer = source.writable.getWriter()
  world.handler = () => new Response(source.readable, { headers: { "content-type": "text/event-stream" } })
  const response = await world.client.fetch("/events")
  expect(response.headers.get("content-type")).toBe("text/event-stream")
  const reader = response.body?.getReader()
  for (const text of ["one", "two"]) {
    void writer.write(new TextEncoder().encode(text))
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(text)
  }
  void writer.close()
  expect((await reader?.read())?.done).toBe(true)
})

test("carries a megabyte there in frames, unchanged", async () => {
  const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251)
  const world = await createWorld()
  world.handler = () => new Response(bytes)
  const response = await world.client.fetch("/file")
  expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true)
})

test("refuses an answer above maxResponseBytes", async () => {
  const world = await createWorld({ client: { maxResponseBytes: 1000 } })
  world.handler = () => new Response("x".repeat(1001))
  expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_TOO_LARGE" })
  world.handler = () => new Response("x".repeat(1000))
  expect((await (await world.client.fetch("/a")).text()).length).toBe(1000)
})

test("tells what happens, and never what is said", async () => {
  const world = await createWorld()
  world.handler = () => new Response("the answer")
  const headers = { "x-request-id": "r-1", authorization: "the token" }
  await world.client.fetch("/transfers?to=zoe", post("the body", { headers }))
  const about = { requestId: "r-1", method: "POST", path: "/transfers" }
  expect(world.events.map(({ type }) => type)).toEqual(["attempt", "progress", "answer"])
  expect(world.events[0]).toEqual({
    type: "attempt",
    ...about,
    attempt: 1,
    kid: (await serverKey()).kid,
    sentBytes: world.sent[0]?.body.length,
  })
  expect(world.events[2]).toMatchObject({ ...about, status: 200 })
  expect(JSON.stringify(world.events)).not.toMatch(/zoe|token|the body|the answer/)
})

test("does not care what a listener throws", async () => {
  const onEvent = vi.fn(() => {
    throw new Error("the listener's own")
  })
  const world = await createWorld({ client: { onEvent } })
  expect((await world.client.fetch("/a")).status).toBe(200)
  expect(onEvent).toHaveBeenCalled()
})

test.each<[string, object, RegExp]>([
  ["a baseUrl that is none", { baseUrl: "api" }, /baseUrl/],
  ["a baseUrl with a password", { baseUrl: "https://u:p@api.example.com" }, /baseUrl/],
  ["neither pins nor keys", { keys: undefined }, /either pins or keys/],
  ["both pins and keys", { pins: ["A".repeat(43)] }, /either pins or keys/],
  ["no pins", { keys: undefined, pins: [] }, /options.pins/],
  ["a pin that is none", { keys: undefined, pins: ["short"] }, /options.pins/],
  ["no keys", { keys: [] }, /options.keys/],
  ["a key that is none", { keys: {} }, /options.keys/],
  ["an origin with a path", { origin: "https://a.example/" }, /options.origin/],
  ["an option that is none", { pin: "x" }, /no option "pin"/],
  ["a retry option that is none", { retry: { limit: 2 } }, /no option "limit"/],
  ["no attempt at all", { retry: { attempts: 0 } }, /attempts/],
  ["a wait beyond what timers do", { retry: { maxDelayMs: 2 ** 31 } }, /maxDelayMs/],
  ["a budget of nothing", { budgetMs: 0 }, /budgetMs/],
  ["a time-out of half a millisecond", { timeoutMs: 0.5 }, /timeoutMs/],
  ["an outer header that carries the envelope", { outerHeaders: ["sealwire"] }, /"sealwire"/],
  ["an outer header of the connection", { outerHeaders: ["Host"] }, /"host"/],
  ["a directory elsewhere", { directoryPath: "https://other.example/keys" }, /directoryPath/],
  ["a fetch that is none", { fetch: "fetch" }, /options.fetch/],
])("refuses options with %s", async (_, wrong, message) => {
  const right = { baseUrl: ORIGIN, keys: (await serverKey()).publicKey }
  expect(() => createClient({ ...right, ...wrong })).toThrow(message)
})

test("uses the platform's fetch as it is at each call", async () => {
  const fetch = vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no network here"))
  const client = createClient({
    baseUrl: ORIGIN,
    keys: (await serverKey()).publicKey,
    retry: { attempts: 1 },
  })
  expect(await errorOf(client.fetch("/a"))).toMatchObject({ code: "ERR_NETWORK" })
  const [url, init] = fetch.mock.calls[0] ?? []
  expect(url).toBe(`${ORIGIN}/a`)
  expect(init).toMatchObject({ redirect: "manual", cache: "no-store" })
  fetch.mockRestore()
})
