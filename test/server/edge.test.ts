import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest"

import type { EndpointEvent } from "../../src/server.ts"
import { endpointWith, exchange, ORIGIN } from "../support/sealed-http.ts"

const HTTP = "http://intranet.example"

let warn: MockInstance
beforeEach(() => {
  warn = vi.spyOn(console, "warn").mockReturnValue(undefined)
})
afterEach(() => {
  warn.mockRestore()
})

describe("plain HTTP", () => {
  it.each([
    ["for the endpoint itself", { origin: HTTP }],
    ["for a page", { origins: [HTTP] }],
  ])("%s has to be named", async (_, options) => {
    await expect(endpointWith(options)).rejects.toThrow(/is plain HTTP.*dangerouslyAllowHttp/)
    await expect(endpointWith({ ...options, dangerouslyAllowHttp: [HTTP] })).resolves.toBeDefined()
  })

  it("may not be named in vain, and needs no naming on loopback", async () => {
    await expect(endpointWith({ dangerouslyAllowHttp: [HTTP] })).rejects.toThrow(/not an http: origin that/)
    for (const origin of [
      "http://localhost:3000",
      "http://127.0.0.1:1",
      "http://[::1]",
      "http://a.localhost",
    ]) {
      await expect(endpointWith({ origin })).resolves.toBeDefined()
    }
    await expect(endpointWith({ origin: "http://localhost.example" })).rejects.toThrow(/is plain HTTP/)
  })

  it("warns once at start, by the console and by an event", async () => {
    const events: EndpointEvent[] = []
    await endpointWith({
      origin: HTTP,
      dangerouslyAllowHttp: [HTTP],
      onEvent: (event) => events.push(event),
    })
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^sealwire: .*dangerouslyAllowHttp/)]])
    expect(events).toMatchObject([{ type: "warning", warning: "plain-http" }])
  })

  it("is refused of a peer that is elsewhere, and answered where it is meant", async () => {
    const next = (): Response => new Response("ran")
    const routes = { "/**": "low" } as const
    const peer = { address: "203.0.113.7", encrypted: false }
    const get = (origin: string): Request => new Request(`${origin}/a`)
    const secure = await endpointWith({ routes })
    expect((await secure.handle(get(ORIGIN), next, peer)).status).toBe(403)
    expect((await secure.handle(get(ORIGIN), next, { ...peer, encrypted: true })).status).toBe(200)
    expect((await secure.handle(get(HTTP), next)).status).toBe(403)
    const plain = await endpointWith({ routes, origin: HTTP, dangerouslyAllowHttp: [HTTP] })
    expect((await plain.handle(get(HTTP), next, peer)).status).toBe(200)
  })
})

describe("origins", () => {
  it.each(["*", "null", "https://app.example.com/", "app.example.com", "https://*.example.com"])(
    "are exact: %j is none",
    async (origin) => {
      await expect(endpointWith({ origins: [origin] })).rejects.toThrow(/options.origins must be an origin/)
    },
  )

  it("are left to what stands around the endpoint unless they are given", async () => {
    const endpoint = await endpointWith({ routes: { "/**": "low" } })
    const headers = { origin: "https://app.example.com", "access-control-request-method": "PUT" }
    const next = (): Response =>
      new Response("theirs", { headers: { "access-control-allow-origin": "https://app.example.com" } })
    const answer = await endpoint.handle(new Request(`${ORIGIN}/a`, { method: "OPTIONS", headers }), next)
    expect(await answer.text()).toBe("theirs")
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example.com")
    expect(answer.headers.has("vary")).toBe(false)
  })

  it("get cookies only where that is said", async () => {
    const page = "https://app.example.com"
    const endpoint = await endpointWith({ origins: [page], allowCredentials: true })
    const answer = await exchange(endpoint, { outer: { headers: { origin: page } } }, () => new Response())
    expect(answer.outer.headers.get("access-control-allow-credentials")).toBe("true")
    expect(answer.outer.headers.get("access-control-allow-origin")).toBe(page)
  })
})

describe("security headers", () => {
  it("are a handler's where it has its own, and an operator's; false leaves one out", async () => {
    const endpoint = await endpointWith({
      securityHeaders: { "Permissions-Policy": "camera=()", "x-frame-options": false },
    })
    const csp = { "content-security-policy": "default-src 'self'" }
    const { outer } = await exchange(endpoint, {}, () => new Response("", { headers: csp }))
    expect(outer.headers.get("content-security-policy")).toBe("default-src 'self'")
    expect(outer.headers.get("permissions-policy")).toBe("camera=()")
    expect(outer.headers.has("x-frame-options")).toBe(false)
    expect(outer.headers.get("x-content-type-options")).toBe("nosniff")
  })

  it("are not set on a handler's open answer: that may be a page", async () => {
    const endpoint = await endpointWith({ routes: { "/**": "low" } })
    const page = await endpoint.handle(new Request(`${ORIGIN}/`), () => new Response("<p>"))
    expect(page.headers.has("content-security-policy")).toBe(false)
  })

  it.each([{ "x y": "a" }, { "x-a": "a\nb" }, { "x-a": 1 }])("refuses %j", async (headers) => {
    await expect(endpointWith({ securityHeaders: headers as never })).rejects.toThrow(
      /options.securityHeaders/,
    )
  })
})

describe("events", () => {
  it("tell when and where from", async () => {
    const events: EndpointEvent[] = []
    const endpoint = await endpointWith({ onEvent: (event) => events.push(event) })
    const before = Date.now()
    const peer = { address: "2001:db8::1", encrypted: true }
    await endpoint.handle(new Request(`${ORIGIN}/a`), () => new Response(), peer)
    expect(events).toMatchObject([{ type: "refused", status: 400, source: "2001:db8::/64" }])
    expect(events[0]?.at).toBeGreaterThanOrEqual(before)
  })

  it("are bounded under a flood, type by type, and the rest is counted", async () => {
    const events: EndpointEvent[] = []
    const endpoint = await endpointWith({
      refusalFloorMs: 0,
      maxEventsPerSecond: 5,
      onEvent: (event) => events.push(event),
    })
    const junk = (): Request => new Request(`${ORIGIN}/a`)
    for (let count = 0; count < 40; count++) await endpoint.handle(junk(), () => new Response())
    await exchange(endpoint, {}, () => new Response())
    expect(events.filter(({ type }) => type === "answered").length).toBe(1)
    await vi.waitFor(() => {
      const told = events.filter(({ type }) => type === "refused").length
      const counted = events.reduce(
        (sum, event) => (event.type === "suppressed" ? sum + event.count : sum),
        0,
      )
      expect(counted).toBeGreaterThan(0)
      expect(told + counted).toBe(40)
    }, 10_000)
    expect(events.find(({ type }) => type === "suppressed")).toMatchObject({ of: "refused" })
  })

  it("hold no character that could break a line or turn it around", async () => {
    const { eventSink } = await import("../../src/server/event-sink.ts")
    const seen: EndpointEvent[] = []
    const sink = eventSink(
      (event) => seen.push(event),
      () => 1,
      10,
    )("s\u2028")
    sink({
      type: "answered",
      level: "low",
      requestId: 'a\r\n\u001b[31m"\u202e',
      signer: undefined,
      principal: undefined,
      status: 200,
    })
    expect(seen).toEqual([
      {
        type: "answered",
        level: "low",
        requestId: 'a\\u{d}\\u{a}\\u{1b}[31m"\\u{202e}',
        signer: undefined,
        principal: undefined,
        status: 200,
        at: 1,
        source: "s\\u{2028}",
      },
    ])
  })
})
