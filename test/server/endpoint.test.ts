import { describe, expect, it, vi } from "vitest"

import { createReplayGuard, memoryStore } from "../../src/index.ts"
import { createKeyRing, generateSigningKeyPair } from "../../src/keys.ts"
import { createEndpoint, type EndpointEvent } from "../../src/server.ts"
import { createTestClock } from "../../src/testing.ts"
import {
  endpointWith,
  exchange,
  freshGuard,
  ORIGIN,
  sealedRequest,
  serverKey,
} from "../support/sealed-http.ts"

const echo = async (request: Request): Promise<Response> =>
  Response.json({
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    body: await request.text(),
  })

describe("an endpoint hands on what was sealed", () => {
  it("as an ordinary request, and seals the ordinary response", async () => {
    const endpoint = await endpointWith()
    const draft = {
      path: "/transfers?draft=1",
      headers: [["content-type", "application/json"]],
      body: '{"amount":120}',
    } as const
    const answer = await exchange(endpoint, draft, async (request) =>
      Response.json(
        { got: await request.json(), url: request.url, type: request.headers.get("content-type") },
        {
          status: 201,
          headers: { "x-mark": "a" },
        },
      ),
    )
    expect(answer).toMatchObject({ status: 201 })
    expect(JSON.parse(answer.text)).toEqual({
      got: { amount: 120 },
      url: `${ORIGIN}/transfers?draft=1`,
      type: "application/json",
    })
    expect(answer.headers.get("x-mark")).toBe("a")
    expect(answer.outer.status).toBe(201)
    expect(answer.outer.headers.get("cache-control")).toBe("no-store")
    expect(answer.outer.headers.get("content-type")).toBe("application/jose")
    expect(answer.outer.headers.has("x-mark")).toBe(false)
  })

  it("from the header of a request without a body, and answers HEAD in the header", async () => {
    const endpoint = await endpointWith()
    const got = await exchange(endpoint, { method: "GET", path: "/account" }, () => new Response("balance"))
    expect(got.text).toBe("balance")
    const head = await exchange(
      endpoint,
      { method: "HEAD", path: "/account", body: "" },
      () => new Response(null, { headers: { etag: '"1"' } }),
    )
    expect(head.headers.get("etag")).toBe('"1"')
    expect(head.outer.body).toBeNull()
    const none = await exchange(
      endpoint,
      { method: "DELETE", path: "/a", body: "" },
      () => new Response(null, { status: 204 }),
    )
    expect(none.status).toBe(204)
  })

  it("without outer headers, save those that are named and not inside", async () => {
    const endpoint = await endpointWith({ outerRequestHeaders: ["traceparent", "accept"] })
    const outer = {
      headers: { authorization: "Basic x", traceparent: "00-1", accept: "outer", cookie: "a=b" },
    }
    const answer = await exchange(endpoint, { headers: [["accept", "inner"]], outer }, echo)
    const { headers } = JSON.parse(answer.text) as { headers: [string, string][] }
    expect(headers).toEqual([
      ["accept", "inner"],
      ["traceparent", "00-1"],
    ])
  })

  it("and streams a body that is long or does not end soon, whole and in order", async () => {
    const endpoint = await endpointWith({ streamAboveBytes: 100, streamAfterMs: 20 })
    const long = "0123456789".repeat(50_000)
    const answer = await exchange(endpoint, {}, () => new Response(long))
    expect(answer.outer.headers.get("content-type")).toBe("application/sealwire-stream")
    expect(answer.text).toBe(long)
    const slow = await exchange(endpoint, {}, () => new Response(dripping(["a", "b", "c"], 30)))
    expect(slow.outer.headers.get("content-type")).toBe("application/sealwire-stream")
    expect(slow.text).toBe("abc")
  })

  it("keeps cookies outside, retry-after and security headers on both sides", async () => {
    const endpoint = await endpointWith({ outerResponseHeaders: ["server-timing"] })
    const answer = await exchange(endpoint, {}, () => {
      const response = new Response("x", {
        headers: { "retry-after": "7", "x-frame-options": "DENY", "server-timing": "a", "x-secret": "s" },
      })
      response.headers.append("set-cookie", "a=1")
      response.headers.append("set-cookie", "b=2")
      return response
    })
    expect(answer.outer.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    expect(answer.headers.has("set-cookie")).toBe(false)
    for (const name of ["retry-after", "x-frame-options", "server-timing"]) {
      expect(answer.outer.headers.get(name)).toBe(answer.headers.get(name))
    }
    expect(answer.outer.headers.has("x-secret")).toBe(false)
    expect(answer.headers.get("x-secret")).toBe("s")
  })

  it("answers a handler's error by a sealed 500 that does not tell it, and tells the operator", async () => {
    const events: EndpointEvent[] = []
    const endpoint = await endpointWith({ onEvent: (event) => events.push(event) })
    const answer = await exchange(endpoint, { headers: [["x-request-id", "r-1"]] }, () => {
      throw new Error("connection string postgres://secret")
    })
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain("secret")
    expect(events[0]).toMatchObject({ type: "handler-failed", requestId: "r-1" })
  })

  it("under the request's id, or under a new one where it could break a log line", async () => {
    const endpoint = await endpointWith()
    const same = await exchange(endpoint, { headers: [["x-request-id", "r-1"]] }, echo)
    expect(same.headers.get("x-request-id")).toBe("r-1")
    const other = await exchange(endpoint, { headers: [["x-request-id", 'a" b']] }, echo)
    expect(other.headers.get("x-request-id")).toMatch(/^[\w-]{22}$/)
  })
})

function dripping(parts: string[], everyMs: number): ReadableStream<Uint8Array> {
  const left = [...parts]
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, everyMs))
      const part = left.shift()
      if (part === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(part))
    },
  })
}

describe("an endpoint refuses sealed, and runs no handler", () => {
  const unreachable = (): never => {
    throw new Error("the handler ran")
  }

  it.each([
    ["another path", { path: "/a", outer: { path: "/b" } }],
    ["another method", { method: "POST", outer: { method: "PUT" } }],
    ["another outer query", { path: "/a?x=1&y=2", outer: { path: "/a?y=2&x=1" } }],
    ["an outer query where there is none inside", { path: "/a", outer: { path: "/a?x=1" } }],
    ["a path that a URL parser changes", { path: "/a/../b", outer: { path: "/b" } }],
    ["an empty query", { path: "/a?", outer: { path: "/a" } }],
    [
      "GET with a body, which has to go out as something else",
      { method: "GET", path: "/a", body: "x", outer: { method: "POST" } },
    ],
  ])("%s: mismatch, before the claim", async (_, draft) => {
    const endpoint = await endpointWith()
    const sealed = await sealedRequest(draft)
    const answer = await sealed.read(await endpoint.handle(sealed.request, unreachable))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ type: "urn:sealwire:mismatch", status: 400 })
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
  })

  it("a copy: replayed; the first one counted", async () => {
    const endpoint = await endpointWith()
    let ran = 0
    const count = (): Response => new Response(String(++ran))
    const sealed = await sealedRequest()
    const first = await endpoint.handle(sealed.again(), count)
    const second = await endpoint.handle(sealed.again(), count)
    expect(second.status).toBe(409)
    expect(JSON.parse((await sealed.read(second)).text)).toMatchObject({ type: "urn:sealwire:replayed" })
    expect(first.status).toBe(200)
    expect(ran).toBe(1)
  })

  it("an old message: stale, with the server's time", async () => {
    const endpoint = await endpointWith()
    const issuedAtSeconds = Math.floor(Date.now() / 1000) - 121
    const sealed = await sealedRequest({ fresh: { issuedAtSeconds } })
    const answer = await sealed.read(await endpoint.handle(sealed.request, unreachable))
    const problem = JSON.parse(answer.text) as { type: string; now: number }
    expect(problem.type).toBe("urn:sealwire:stale")
    expect(Math.abs(problem.now - Date.now() / 1000)).toBeLessThan(60)
  })
})

describe("an endpoint refuses unsealed", () => {
  it.each([
    ["no envelope", {}, 400],
    [
      "another content type",
      { method: "POST", body: "{}", headers: { "content-type": "application/json" } },
      415,
    ],
    [
      "a compressed body",
      {
        method: "POST",
        body: "x",
        headers: { "content-type": "application/jose", "content-encoding": "gzip" },
      },
      415,
    ],
    [
      "a body beyond the limit",
      { method: "POST", body: "x".repeat(3000), headers: { "content-type": "application/jose" } },
      413,
    ],
    [
      "an envelope in the header and a body",
      { method: "POST", body: "x", headers: { sealwire: "a.b.c.d.e" } },
      400,
    ],
  ])("%s", async (_, init, status) => {
    const endpoint = await endpointWith({ maxMessageBytes: 100 })
    const response = await endpoint.handle(new Request(`${ORIGIN}/a`, init), echo)
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
  })

  it("a route that nothing names", async () => {
    const endpoint = await endpointWith({ routes: { "POST /a": "high" } })
    const sealed = await sealedRequest({ path: "/b" })
    expect((await endpoint.handle(sealed.request, echo)).status).toBe(400)
    const other = await sealedRequest({ path: "/a", method: "PUT" })
    expect((await endpoint.handle(other.request, echo)).status).toBe(400)
  })

  it("no sooner for one cause than for another: at a fixed time after the request came", async () => {
    const endpoint = await endpointWith({ refusalFloorMs: 1000 })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      let refused = 0
      const garbage = { method: "POST", body: "a.b.c.d.e", headers: { "content-type": "application/jose" } }
      const answers = [undefined, garbage].map(async (init) => {
        const { status } = await endpoint.handle(new Request(`${ORIGIN}/a`, init), echo)
        refused += status === 400 ? 1 : 0
      })
      await new Promise((resolve) => setImmediate(resolve))
      await vi.advanceTimersByTimeAsync(999)
      expect(refused).toBe(0)
      await vi.advanceTimersByTimeAsync(1)
      await Promise.all(answers)
      expect(refused).toBe(2)
      const { status } = await endpoint.handle(
        new Request(`${ORIGIN}/a`, { method: "POST", body: "{}" }),
        echo,
      )
      expect(status).toBe(415)
    } finally {
      vi.useRealTimers()
    }
  })

  it("with 503 when the store cannot answer, and when too many private operations wait", async () => {
    const broken = createReplayGuard({ store: { claim: () => Promise.reject(new Error("down")) } })
    const sealed = await sealedRequest()
    const response = await (await endpointWith({ replay: broken })).handle(sealed.request, echo)
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe("1")

    const narrow = await endpointWith({ maxPendingUnwraps: 2 })
    const all = await Promise.all(Array.from({ length: 12 }, () => sealedRequest()))
    const statuses = await Promise.all(
      all.map(async ({ request }) => (await narrow.handle(request, echo)).status),
    )
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(2)
    expect(statuses).toContain(503)
  })
})

describe("an endpoint's routes", () => {
  it("pass an open request to a low route, and open a sealed one there", async () => {
    const endpoint = await endpointWith({ routes: { "/status": "low", "/**": "high" } })
    const open = await endpoint.handle(new Request(`${ORIGIN}/status`), (_, { sealed }) =>
      Response.json({ sealed }),
    )
    expect(await open.json()).toEqual({ sealed: false })
    const named = async (id: string): Promise<string> => {
      const request = new Request(`${ORIGIN}/status`, { headers: { "x-request-id": id } })
      return (await endpoint.handle(request, (_, { requestId }) => new Response(requestId))).text()
    }
    expect(await named("r-1")).toBe("r-1")
    expect(await named('a" \u001b[31m b')).toBe("")
    const sealed = await exchange(endpoint, { method: "GET", path: "/status" }, (_, info) =>
      Response.json({ sealed: info.sealed, level: info.level }),
    )
    expect(JSON.parse(sealed.text)).toEqual({ sealed: true, level: "low" })
    expect((await endpoint.handle(new Request(`${ORIGIN}/other`), echo)).status).toBe(400)
  })

  it("must be named, and each have a level that there is", async () => {
    const keys = await serverKey()
    const make = (routes: object) => () =>
      createEndpoint({ origin: ORIGIN, keys, replay: freshGuard(), routes: routes as { "/": "high" } })
    expect(make({})).toThrow(TypeError)
    expect(make({ "/a": "secret" })).toThrow(/"\/a" must be high, medium or low/)
    expect(make({ "get /a": "high" })).toThrow(/is not a path/)
  })
})

describe("an endpoint's key directory", () => {
  it("is signed anew after half of its life, and good for the rest of it", async () => {
    const { signingKey: identity } = await generateSigningKeyPair()
    const clock = createTestClock()
    const replay = createReplayGuard({ store: memoryStore({ clock }), clock })
    const endpoint = await endpointWith({ replay, directory: { identity, lifetimeSeconds: 100 } })
    const get = async (): Promise<string> =>
      (await endpoint.handle(new Request(`${ORIGIN}/.well-known/sealwire`), echo)).text()
    const first = await get()
    clock.advance(48_000)
    expect(await get()).toBe(first)
    clock.advance(4000)
    expect(await get()).not.toBe(first)
  })

  it("names the active keys, changes with the ring, and is not signed anew for every request", async () => {
    const { signingKey: identity } = await generateSigningKeyPair()
    const ring = createKeyRing([await serverKey()])
    let seq = 1
    const endpoint = await endpointWith({ keys: ring, directory: { identity, seq: () => seq } })
    const get = async (): Promise<string> =>
      (await endpoint.handle(new Request(`${ORIGIN}/.well-known/sealwire`), echo)).text()
    const first = await get()
    expect(await get()).toBe(first)
    seq = 2
    expect(await get()).not.toBe(first)
    const wrong = await endpoint.handle(
      new Request(`${ORIGIN}/.well-known/sealwire`, { method: "POST" }),
      echo,
    )
    expect(wrong.status).toBe(405)
  })
})

it("tells the origin that it was made for", async () => {
  expect((await endpointWith()).origin).toBe(ORIGIN)
})

it("never shows keys or messages in what an endpoint prints", async () => {
  const { inspect } = await import("node:util")
  const endpoint = await endpointWith({ replay: createReplayGuard({ store: memoryStore() }) })
  expect(inspect(endpoint, { depth: 10 })).not.toMatch(/[\w-]{43}/)
})
