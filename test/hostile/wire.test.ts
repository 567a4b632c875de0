import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { type Client, type ClientEvent, type ClientOptions, createClient } from "../../src/client.ts"
import { createKeyRing, generateSigningKeyPair } from "../../src/keys.ts"
import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Handler,
  memoryIdempotencyStore,
} from "../../src/server.ts"
import { freshGuard, serverKey } from "../support/sealed-http.ts"
import {
  type Listening,
  type Proxy,
  serve,
  startProxy,
  type Tamper,
  type WireRequest,
  type WireResponse,
} from "../support/wire.ts"

const { signingKey: identity } = await generateSigningKeyPair()

let server: Listening
let proxy: Proxy
let endpoint: Endpoint
let handler: Handler
let ran: { method: string; url: string; headers: Headers; body: string }[]

const pass: Tamper = (request, forward) => forward(request)

async function endpointAt(origin: string, options: Partial<EndpointOptions> = {}): Promise<Endpoint> {
  return createEndpoint({
    origin,
    keys: createKeyRing([await serverKey()]),
    directory: { identity },
    replay: freshGuard(),
    routes: { "/low": "low", "/**": "high" },
    limits: false,
    ...options,
  })
}

beforeAll(async () => {
  proxy = await startProxy(() => server.origin)
  server = await serve((request) =>
    endpoint.handle(request, async (inner, details) => {
      const { method, url, headers } = inner
      ran.push({ method, url, headers, body: await inner.clone().text() })
      return handler(inner, details)
    }),
  )
})

afterAll(async () => {
  await Promise.all([proxy.close(), server.close()])
})

beforeEach(async () => {
  endpoint = await endpointAt(proxy.origin)
  handler = () => Response.json({ ok: true })
  ran = []
  proxy.seen.length = 0
  proxy.tamper = pass
})

const clientOf = (options: Partial<ClientOptions> = {}): Client =>
  createClient({
    baseUrl: proxy.origin,
    pins: [identity.kid],
    retry: { attempts: 3, baseDelayMs: 1 },
    timeoutMs: 5000,
    ...options,
  })

const post = (client: Client, path = "/a"): Promise<Response> =>
  client.fetch(path, { method: "POST", body: '{"amount":120}' })

/** Requests for the application, not for the directory. */
const messages = (): WireRequest[] => proxy.seen.filter(({ path }) => !path.startsWith("/.well-known/"))

/** Tampers with messages to the application only. */
function onMessages(tamper: Tamper): void {
  proxy.tamper = (request, forward) =>
    request.path.startsWith("/.well-known/") ? forward(request) : tamper(request, forward)
}

const changeRequest = (change: (request: WireRequest) => WireRequest): void => {
  onMessages((request, forward) => forward(change(request)))
}

const changeResponse = (change: (response: WireResponse, request: WireRequest) => WireResponse): void => {
  onMessages(async (request, forward) => change(await forward(request), request))
}

describe("somebody on the way who rewrites a request", () => {
  it.each<[string, (request: WireRequest) => WireRequest]>([
    ["its path", (request) => ({ ...request, path: "/b" })],
    ["its method", (request) => ({ ...request, method: "PUT" })],
    ["its query", (request) => ({ ...request, path: "/a?admin=1" })],
    ["the spelling of its path", (request) => ({ ...request, path: "/%61" })],
  ])("in %s gets it refused, sealed, and no handler runs", async (_, change) => {
    changeRequest(change)
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_MISMATCH" })
    expect(ran).toEqual([])
  })

  it.each([
    ["in order", "/a?x=1&y=2", "/a?y=2&x=1"],
    ["by doubling", "/a?x=1", "/a?x=1&x=1"],
    ["in encoding", "/a?x=a", "/a?x=%61"],
  ])("changes an outer query %s, and it is refused", async (_, sent, changed) => {
    changeRequest((request) => ({ ...request, path: changed }))
    await expect(post(clientOf({ sendQuery: true }), sent)).rejects.toMatchObject({ code: "ERR_MISMATCH" })
    expect(ran).toEqual([])
  })

  it("adds, contradicts or doubles headers, and the handler sees the inner ones alone", async () => {
    changeRequest((request) => ({
      ...request,
      headers: { ...request.headers, authorization: "Bearer stolen", cookie: "sid=1", "x-role": "admin" },
    }))
    await clientOf().fetch("/a", { method: "POST", body: "x", headers: { "x-role": "guest" } })
    const [{ headers } = { headers: new Headers() }] = ran
    expect(headers.get("x-role")).toBe("guest")
    expect(headers.has("authorization")).toBe(false)
    expect(headers.has("cookie")).toBe(false)
  })

  it("strips the envelope, the body or the content type, and the client refuses what comes back", async () => {
    for (const strip of [
      (request: WireRequest) => ({ ...request, body: Buffer.alloc(0) }),
      (request: WireRequest) => ({
        ...request,
        headers: { ...request.headers, "content-type": "text/plain" },
      }),
      (request: WireRequest) => ({ ...request, body: request.body.subarray(0, -1) }),
    ]) {
      changeRequest((request) => {
        const changed = strip(request)
        return { ...changed, headers: { ...changed.headers, "content-length": String(changed.body.length) } }
      })
      await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    }
    changeRequest((request) => ({ ...request, headers: { ...request.headers, sealwire: undefined } }))
    await expect(clientOf({ retry: { attempts: 1 } }).fetch("/a")).rejects.toMatchObject({
      code: "ERR_UNSEALED",
    })
    expect(ran).toEqual([])
  })

  it("sends it to another origin that has the same key, where it does not open", async () => {
    endpoint = await endpointAt("https://other.example.com", { directory: { identity } })
    const client = clientOf({ keys: (await serverKey()).publicKey, pins: undefined as never })
    await expect(post(client)).rejects.toMatchObject({ code: "ERR_UNSEALED", outerStatus: 400 })
    expect(ran).toEqual([])
  })

  it("sends it twice: it counts once, and the client has the first answer", async () => {
    onMessages(async (request, forward) => {
      const first = await forward(request)
      const second = await forward(request)
      expect(second.status).toBe(409)
      return first
    })
    expect((await post(clientOf())).status).toBe(200)
    expect(ran.length).toBe(1)
  })

  it("sends it twice and shows the second answer: the outcome is unknown, and nothing is repeated", async () => {
    onMessages(async (request, forward) => {
      await forward(request)
      return forward(request)
    })
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_REPLAYED" })
    expect(messages().length).toBe(1)
    expect(ran.length).toBe(1)
  })

  it("sends 100 copies at once: exactly one counts", async () => {
    onMessages(async (request, forward) => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => forward(request)))
      expect(answers.filter(({ status }) => status === 409).length).toBe(99)
      return answers.find(({ status }) => status === 200)
    })
    expect((await post(clientOf())).status).toBe(200)
    expect(ran.length).toBe(1)
  })
})

describe("somebody on the way who loses things", () => {
  it("loses a POST's answer: the client does not repeat it", async () => {
    onMessages(async (request, forward) => {
      await forward(request)
      return undefined
    })
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_NETWORK" })
    expect(ran.length).toBe(1)
  })

  it("loses answers of a server that enforces idempotency: repeated under a new nonce and the same key, done once", async () => {
    endpoint = await endpointAt(proxy.origin, { idempotency: { store: memoryIdempotencyStore() } })
    let lost = 0
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      return lost++ < 2 ? undefined : answer
    })
    handler = () => Response.json({ number: ran.length })
    const answer = await post(clientOf({ enforcesIdempotency: true }))
    expect(await answer.json()).toEqual({ number: 1 })
    const sent = messages().map(({ body }) => body.toString().split(".")[0] ?? "")
    expect(new Set(sent).size).toBe(3)
    expect(ran.length).toBe(1)
  })

  it("loses a GET's answer: sealed anew, and asked again", async () => {
    let lost = false
    onMessages(async (request, forward) => {
      const answer = await forward(request)
      if (lost) return answer
      lost = true
      return undefined
    })
    expect((await clientOf().fetch("/a")).status).toBe(200)
    expect(new Set(messages().map(({ headers }) => headers["sealwire"])).size).toBe(2)
  })

  it("cuts an answer anywhere: the application sees no body", async () => {
    for (const part of [0, 0.01, 0.3, 0.7, 0.99]) {
      changeResponse((response) => ({ ...response, cutAfterBytes: Math.floor(response.body.length * part) }))
      await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_NETWORK" })
    }
    // and one that says it is as long as it is now
    changeResponse(({ headers, body, ...response }) => {
      const short = body.subarray(0, -5)
      return { ...response, headers: { ...headers, "content-length": String(short.length) }, body: short }
    })
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
  })

  it("cuts a streamed answer: what came is authentic, and the end is an error", async () => {
    handler = () => new Response("0123456789".repeat(60_000))
    changeResponse(({ headers, body, ...response }) => {
      const short = body.subarray(0, -40)
      const { "transfer-encoding": _, ...rest } = headers
      return { ...response, headers: { ...rest, "content-length": String(short.length) }, body: short }
    })
    const answer = await post(clientOf())
    expect(answer.status).toBe(200)
    await expect(answer.text()).rejects.toMatchObject({ code: "ERR_TRUNCATED" })
  })
})

describe("somebody on the way who rewrites an answer", () => {
  it("sends the request back as the answer: refused", async () => {
    changeResponse((response, request) => ({ ...response, body: request.body }))
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
  })

  it("sends an answer to the server: refused before its key is used", async () => {
    let reply: Buffer | undefined
    changeResponse((response) => {
      reply = response.body
      return response
    })
    await post(clientOf())
    changeRequest((request) => ({
      ...request,
      headers: { ...request.headers, "content-length": String(reply?.length) },
      body: reply ?? Buffer.alloc(0),
    }))
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED", outerStatus: 400 })
    expect(ran.length).toBe(1)
  })

  it("gives the answer of an earlier request, or swaps two: both refused", async () => {
    const client = clientOf()
    const held: WireResponse[] = []
    changeResponse((response) => {
      held.push(response)
      return response
    })
    await post(client)
    changeResponse(() => held[0] as WireResponse)
    await expect(post(client)).rejects.toMatchObject({ code: "ERR_UNSEALED" })

    const waiting: ((response: WireResponse) => void)[] = []
    const swapped: WireResponse[] = []
    onMessages(async (request, forward) => {
      swapped.push(await forward(request))
      const other = new Promise<WireResponse>((resolve) => waiting.push(resolve))
      if (waiting.length === 2) {
        waiting[0]?.(swapped[1] as WireResponse)
        waiting[1]?.(swapped[0] as WireResponse)
      }
      return other
    })
    const both = await Promise.allSettled([post(client), post(client)])
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  })

  it("turns a 403 into a 200 outside: the client believes the inner one", async () => {
    handler = () => Response.json({ no: true }, { status: 403 })
    changeResponse((response) => ({ ...response, status: 200 }))
    const answer = await post(clientOf())
    expect(answer.status).toBe(403)
    expect(await answer.json()).toEqual({ no: true })
  })

  it("adds headers, or changes them: the client reports the inner ones", async () => {
    changeResponse((response) => ({
      ...response,
      headers: { ...response.headers, "x-injected": "1", etag: '"evil"', "cache-control": "public" },
    }))
    const answer = await post(clientOf())
    expect(answer.headers.has("x-injected")).toBe(false)
    expect(answer.headers.has("etag")).toBe(false)
    expect(answer.headers.get("cache-control")).toBe("no-store")
    expect(answer.headers.get("content-type")).toBe("application/json")
  })

  it.each([
    ["text/html", "<p>please log in</p>"],
    ["application/json", '{"ok":true}'],
    ["application/jose", '{"ok":true}'],
    ["application/sealwire-stream", "a.b.c.d.e\n"],
  ])("answers in the server's place with %s: refused", async (type, body) => {
    onMessages(() =>
      Promise.resolve({ status: 200, headers: { "content-type": type }, body: Buffer.from(body) }),
    )
    await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED", outerStatus: 200 })
    expect(ran).toEqual([])
  })

  it.each([301, 302, 303, 307, 308])(
    "redirects with %i: refused, and nothing else is asked",
    async (status) => {
      onMessages(() =>
        Promise.resolve({
          status,
          headers: { location: `${proxy.origin}/elsewhere` },
          body: Buffer.alloc(0),
        }),
      )
      const client = clientOf({ retry: { attempts: 1 } })
      await expect(post(client)).rejects.toMatchObject({ code: "ERR_UNSEALED" })
      await expect(client.fetch("/a")).rejects.toMatchObject({ code: "ERR_UNSEALED" })
      expect(messages().map(({ path }) => path)).toEqual(["/a", "/a"])
    },
  )

  it("flips any of its characters: refused", async () => {
    for (const at of [0, 40, 250, 300, -3]) {
      changeResponse((response) => {
        const body = Buffer.from(response.body)
        const index = at < 0 ? body.length + at : at
        body[index] = body[index] === 65 ? 66 : 65
        return { ...response, body }
      })
      await expect(post(clientOf())).rejects.toMatchObject({ code: "ERR_UNSEALED" })
    }
  })
})

describe("a clock that is wrong", () => {
  it("is corrected once, by the server's authentic time", async () => {
    const events: ClientEvent[] = []
    const client = clientOf({
      clock: () => Date.now() - 600_000,
      onEvent: (event) => {
        events.push(event)
      },
    })
    expect((await post(client)).status).toBe(200)
    expect(messages().length).toBe(2)
    expect((await post(client)).status).toBe(200)
    expect(messages().length).toBe(3)
    expect(events.filter(({ type }) => type === "time-offset").length).toBe(1)
    expect(ran.length).toBe(2)
  })

  it("is not believed twice for one request: held back again, it fails", async () => {
    // a clock that falls behind faster than it is corrected
    let behindMs = 0
    const client = clientOf({ clock: () => Date.now() - (behindMs += 200_000) })
    await expect(post(client)).rejects.toMatchObject({ code: "ERR_STALE" })
    expect(messages().length).toBe(2)
    expect(ran).toEqual([])
  })
})

describe("levels over the wire", () => {
  it("come from the server's configuration: a message cannot name its own", async () => {
    handler = (_, { level }) => Response.json({ level })
    const client = clientOf()
    const answer = await client.fetch("/a", {
      method: "POST",
      headers: { "x-sealwire-level": "low", level: "low" },
      body: '{"level":"low","policy":"none"}',
    })
    expect(await answer.json()).toEqual({ level: "high" })
  })

  it("refuse a plain body on a sealed route, without reading it as anything", async () => {
    const plain = await fetch(`${server.origin}/a`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"__proto__":{"admin":true}}',
    })
    expect(plain.status).toBe(415)
    expect(ran).toEqual([])
  })
})
