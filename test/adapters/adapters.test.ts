import { setTimeout as wait } from "node:timers/promises"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import type { Endpoint, EndpointEvent } from "../../src/server.ts"
import { sendTo } from "../support/over-http.ts"
import { type Answered, type Draft, endpointWith, ORIGIN, sealedRequest } from "../support/sealed-http.ts"
import { COOKIES, LARGE, type Watch } from "./app.ts"
import { kinds, type Running } from "./kinds.ts"

const ROUTES = { "/status": "low", "/**": "medium" } as const

describe.each(kinds)("$name", ({ start }) => {
  let running: Running
  let endpoint: Endpoint
  let events: EndpointEvent[] = []
  const watch: Watch = { arrived: () => undefined, gone: () => undefined, wrote: () => undefined }

  beforeAll(async () => {
    endpoint = await endpointWith({
      routes: ROUTES,
      streamAboveBytes: 100_000,
      outerRequestHeaders: ["traceparent"],
      onEvent: (event) => events.push(event),
    })
    running = await start(endpoint, watch)
  })
  afterAll(() => running.close())

  async function exchange(draft: Draft): Promise<Answered> {
    events = []
    const sealed = await sealedRequest(draft)
    return sealed.read(await sendTo(running, sealed.request))
  }

  it("hands on the opened request: method, query, headers, body, and what is known of it", async () => {
    const answer = await exchange({
      path: "/echo?draft=1",
      headers: [
        ["content-type", "application/json"],
        ["x-request-id", "r-1"],
        ["authorization", "Bearer inner"],
      ],
      body: '{"grüße":1}',
      outer: { headers: { authorization: "Basic outer", cookie: "a=b", traceparent: "00-1" } },
    })
    expect(answer.status).toBe(200)
    const echo = JSON.parse(answer.text) as { headers: Record<string, string> }
    expect(echo).toMatchObject({ method: "POST", path: "/echo?draft=1", sealed: true, requestId: "r-1" })
    expect(echo).toMatchObject({ body: '{"grüße":1}' })
    expect(echo.headers).toMatchObject({ authorization: "Bearer inner", traceparent: "00-1" })
    expect(echo.headers).not.toHaveProperty("cookie")
    expect(answer.outer.headers.get("content-type")).toBe("application/jose")
    expect(Number(answer.outer.headers.get("content-length"))).toBeGreaterThan(0)
  })

  it("opens a request without a body, and answers HEAD, 204 and 304 in the header", async () => {
    expect(await exchange({ method: "GET", path: "/account" })).toMatchObject({
      status: 200,
      text: "balance",
    })
    const head = await exchange({ method: "HEAD", path: "/account", body: "" })
    expect(head).toMatchObject({ status: 200, text: "" })
    expect(head.headers.get("x-mark")).toBe("m")
    const none = await exchange({ method: "DELETE", path: "/account", body: "" })
    expect([none.status, none.outer.status, none.text]).toEqual([204, 204, ""])
    const cached = await exchange({ method: "GET", path: "/cached" })
    expect([cached.status, cached.headers.get("etag")]).toEqual([304, '"1"'])
  })

  it("keeps cookies outside, each by itself", async () => {
    const answer = await exchange({ method: "GET", path: "/cookies" })
    expect(answer.outer.headers.getSetCookie()).toEqual(COOKIES)
    expect(answer.headers.has("set-cookie")).toBe(false)
  })

  it("streams an answer that does not end soon, and one that is long", async () => {
    const events = await exchange({ method: "GET", path: "/events" })
    expect(events.headers.get("content-type")).toMatch(/^text\/event-stream/)
    expect(events.outer.headers.get("content-type")).toBe("application/sealwire-stream")
    expect(events.text).toBe("one\ntwo\nthree\n")
    const large = await exchange({ method: "GET", path: "/large" })
    expect(large.text === LARGE).toBe(true)
  })

  it("takes a long body", async () => {
    const body = "x".repeat(90_000)
    const answer = await exchange({ path: "/echo", body, headers: [["content-type", "text/plain"]] })
    expect((JSON.parse(answer.text) as { body: string }).body).toBe(body)
  })

  it("seals the application's own 404 and 500, without the error", async () => {
    const missing = await exchange({ method: "GET", path: "/nowhere" })
    expect([missing.status, missing.outer.headers.get("content-type")]).toEqual([404, "application/jose"])
    const failed = await exchange({ method: "GET", path: "/fail" })
    expect([failed.status, failed.outer.headers.get("content-type")]).toEqual([500, "application/jose"])
    expect(failed.text).not.toContain("secret")
  })

  it("refuses a copy and another path, sealed", async () => {
    const sealed = await sealedRequest({ path: "/echo" })
    expect((await sendTo(running, sealed.again())).status).toBe(200)
    const copy = await sealed.read(await sendTo(running, sealed.again()))
    expect(JSON.parse(copy.text)).toMatchObject({ type: "urn:sealwire:replayed", status: 409 })
    const moved = await exchange({ path: "/echo", outer: { path: "/account" } })
    expect(JSON.parse(moved.text)).toMatchObject({ type: "urn:sealwire:mismatch", status: 400 })
  })

  it("refuses what it cannot open by one answer", async () => {
    const sealed = await sealedRequest({ path: "/echo", context: "another" })
    const { envelope } = await sealedRequest({ path: "/echo" })
    const bodies = [sealed.envelope, envelope.slice(0, -1), "a.b.c.d.e", "x", "\u00e4"]
    const answers = await Promise.all(
      bodies.map(async (body) => {
        const headers = { "content-type": "application/jose" }
        const answer = await sendTo(running, new Request(`${ORIGIN}/echo`, { method: "POST", headers, body }))
        answer.headers.delete("date")
        return [answer.status, [...answer.headers], await answer.text()]
      }),
    )
    expect(answers[0]?.[0]).toBe(400)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    const open = await sendTo(running, new Request(`${ORIGIN}/account`))
    expect([open.status, await open.text()]).toEqual([400, answers[0]?.[2]])
  })

  it("refuses another type and a compressed body", async () => {
    const types = [
      { "content-type": "text/csv" },
      { "content-type": "application/jose", "content-encoding": "zip" },
    ]
    for (const headers of types) {
      const request = new Request(`${ORIGIN}/echo`, { method: "POST", headers, body: "x" })
      expect((await sendTo(running, request)).status).toBe(415)
    }
  })

  it("lets an open request pass to a low route, and opens a sealed one there", async () => {
    const open = await sendTo(running, new Request(`${ORIGIN}/status`))
    expect(await open.json()).toEqual({ sealed: false })
    const sealed = await exchange({ method: "GET", path: "/status" })
    expect(JSON.parse(sealed.text)).toEqual({ sealed: true })
  })

  it("tells the application that the peer has gone", async () => {
    const abort = new AbortController()
    const arrived = new Promise<void>((resolve) => (watch.arrived = resolve))
    const gone = new Promise<void>((resolve) => (watch.gone = resolve))
    const { request } = await sealedRequest({ method: "GET", path: "/wait" })
    const answer = sendTo(running, new Request(request, { signal: abort.signal }))
    await arrived
    abort.abort()
    await expect(answer).rejects.toThrow()
    await gone
  })

  it("takes no more from the application than the peer does, and tells it when he goes", async () => {
    let written = 0
    watch.wrote = (bytes) => {
      written += bytes
    }
    const gone = new Promise<void>((resolve) => {
      watch.gone = resolve
    })
    const { request } = await sealedRequest({ method: "GET", path: "/endless" })
    const answer = await sendTo(running, request)
    // nobody reads; what the kernel takes is a few megabytes
    for (let before = -1; before !== written;) {
      before = written
      await wait(100)
    }
    expect(written).toBeGreaterThan(0)
    expect(written).toBeLessThan(32 * 1024 * 1024)
    // not by a signal: Node's fetch forgets the one of a Request once that is collected
    await answer.body?.cancel()
    await gone
  })
})
