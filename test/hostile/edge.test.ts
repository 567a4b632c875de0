import { createServer, request as send } from "node:http"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { createListener } from "../../src/adapters/node.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import type { EndpointEvent } from "../../src/server.ts"
import { listen, type Running } from "../adapters/kinds.ts"
import { endpointWith, ORIGIN, sealedRequest } from "../support/sealed-http.ts"

const PAGE = "https://app.example.com"
/** How a proxy on this machine says that somebody came to it by TLS. */
const FORWARDED = { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" }

let running: Running
let events: EndpointEvent[] = []
let ran = 0

beforeAll(async () => {
  const { signingKey: identity } = await generateSigningKeyPair()
  const endpoint = await endpointWith({
    routes: { "POST /transfers": "high", "/low": "low" },
    directory: { identity },
    trustedProxies: ["127.0.0.1"],
    origins: [PAGE],
    outerRequestHeaders: ["traceparent"],
    limits: { bySource: { high: 3 } },
    onEvent: (event) => events.push(event),
  })
  const listener = createListener(endpoint, () => {
    ran++
    return new Response("ran", { headers: { "access-control-allow-origin": "*" } })
  })
  running = await listen(createServer(listener))
})
afterAll(() => running.close())

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** What goes out is written by hand: `fetch` would not send what browsers send. */
function ask(method: string, path: string, headers: Record<string, string> = {}, body = ""): Promise<Answer> {
  events = []
  ran = 0
  return new Promise((resolve, reject) => {
    const length = body === "" ? {} : { "content-length": String(body.length) }
    const url = running.url + path
    const outgoing = send(url, { method, headers: { ...FORWARDED, ...headers, ...length }, agent: false })
    outgoing.on("error", reject)
    outgoing.on("response", (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      incoming.on("end", () => {
        const { date: _, connection: __, ...rest } = incoming.headers as Record<string, string>
        resolve({ status: incoming.statusCode ?? 0, headers: rest, body: text })
      })
    })
    outgoing.end(body)
  })
}

async function transfer(headers: Record<string, string>): Promise<Answer> {
  const { envelope } = await sealedRequest()
  return ask("POST", "/transfers", { "content-type": "application/jose", ...headers }, envelope)
}

const preflight = (path: string, headers: Record<string, string>): Promise<Answer> =>
  ask("OPTIONS", path, { origin: PAGE, "access-control-request-method": "POST", ...headers })

describe("a preflight", () => {
  it("is told the methods of the route and the headers of the protocol, and no credentials", async () => {
    const asked = { "access-control-request-headers": "content-type,sealwire,traceparent" }
    const { status, headers } = await preflight("/transfers", asked)
    expect(status).toBe(204)
    expect(headers).toMatchObject({
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "content-type, sealwire, traceparent",
      vary: "origin",
    })
    expect(headers).not.toHaveProperty("access-control-allow-credentials")
    expect(ran).toBe(0)
  })

  it.each<[string, string, Record<string, string>]>([
    ["another origin", "/transfers", { origin: "https://evil.example" }],
    ["the origin null", "/transfers", { origin: "null" }],
    ["the origin *", "/transfers", { origin: "*" }],
    ["a longer origin", "/transfers", { origin: `${PAGE}.evil.example` }],
    ["another scheme", "/transfers", { origin: "http://app.example.com" }],
    ["another port", "/transfers", { origin: `${PAGE}:8443` }],
    ["a method of no route", "/transfers", { "access-control-request-method": "DELETE" }],
    ["a header that is not listed", "/transfers", { "access-control-request-headers": "authorization" }],
    ["a path that nothing names", "/other", {}],
  ])("for %s is refused, and told nothing", async (_, path, headers) => {
    const answer = await preflight(path, headers)
    expect(answer.status).toBe(403)
    for (const name of ["methods", "headers", "credentials"]) {
      expect(answer.headers).not.toHaveProperty(`access-control-allow-${name}`)
    }
    const { origin = PAGE } = headers
    expect(answer.headers["access-control-allow-origin"]).toBe(origin === PAGE ? PAGE : undefined)
  })

  it("is charged to nobody", async () => {
    for (let count = 0; count < 10; count++) expect((await preflight("/transfers", {})).status).toBe(204)
    expect((await transfer({ origin: PAGE })).status).toBe(200)
  })
})

describe("what another site makes a browser send is refused, and counted as nobody's", () => {
  const from = { "x-forwarded-for": "203.0.113.8" }
  it.each<[string, Record<string, string>]>([
    ["a foreign origin", { origin: "https://evil.example" }],
    ["the origin null", { origin: "null" }],
    ["no origin, but cross-site", { "sec-fetch-site": "cross-site" }],
    ["no origin, but same-site", { "sec-fetch-site": "same-site" }],
    ["a navigation to a sealed route", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }],
  ])("%s", async (_, headers) => {
    for (let count = 0; count < 4; count++) {
      expect((await transfer({ ...from, ...headers })).status).toBe(403)
    }
    expect(ran).toBe(0)
    expect(events).toMatchObject([{ type: "refused", status: 403, reason: "foreign-origin" }])
  })

  it.each<[string, Record<string, string>]>([
    ["the own origin", { origin: ORIGIN }],
    ["a listed one", { origin: PAGE, "sec-fetch-site": "cross-site" }],
    ["no browser", {}],
  ])("but not %s", async (_, headers) => {
    expect((await transfer({ ...from, ...headers })).status).toBe(200)
    expect(ran).toBe(1)
  })

  it("on an open route: forms with cookies, embedded things; not links, nor what comes without a user", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" }
    const status = async (method: string, headers: Record<string, string>, body?: string): Promise<number> =>
      (await ask(method, "/low", { ...from, ...headers }, body)).status
    expect(await status("POST", { ...form, cookie: "a=1" }, "a=1")).toBe(403)
    expect(await status("POST", { ...form, cookie: "a=1", "sec-fetch-site": "same-origin" }, "a=1")).toBe(200)
    expect(await status("POST", form, "a=1")).toBe(200)
    expect(await status("POST", { "content-type": "application/json", cookie: "a=1" }, "{}")).toBe(200)
    expect(await status("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403)
    expect(await status("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBe(200)
    expect(await status("GET", { origin: "https://evil.example" })).toBe(403)
  })
})

it("lets a listed page read what it is for, and overrules a handler that lets everybody", async () => {
  const from = { "x-forwarded-for": "203.0.113.9" }
  const sealed = await transfer({ ...from, origin: PAGE })
  expect(sealed.headers).toMatchObject({
    "access-control-allow-origin": PAGE,
    "access-control-expose-headers": "sealwire, retry-after",
    vary: "origin",
  })
  const open = await ask("GET", "/low", { ...from, origin: PAGE })
  expect(open.headers["access-control-allow-origin"]).toBe(PAGE)
  expect((await ask("GET", "/low", from)).headers).not.toHaveProperty("access-control-allow-origin")
})

describe("plain HTTP", () => {
  it.each<[string, Record<string, string>]>([
    ["that the proxy tells of", { "x-forwarded-proto": "http" }],
    ["behind a proxy that tells nothing", { "x-forwarded-proto": "" }],
  ])("%s is refused, not redirected, and nothing is read of it", async (_, headers) => {
    const { status, headers: told } = await transfer(headers)
    expect(status).toBe(403)
    expect(told).not.toHaveProperty("location")
    expect(told).not.toHaveProperty("strict-transport-security")
    expect(events).toMatchObject([{ type: "refused", reason: "plain-http", source: "203.0.113.7" }])
  })
})

describe("security headers", () => {
  const from = { "x-forwarded-for": "203.0.113.10" }
  const strict = {
    "content-security-policy":
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "0",
  }

  it("stand on sealed answers, refusals, preflights and the directory", async () => {
    const answers = [
      await transfer(from),
      await transfer({ ...from, "content-encoding": "gzip" }),
      await ask("POST", "/other", from),
      await preflight("/transfers", from),
      await ask("GET", "/.well-known/sealwire", from),
      await ask("DELETE", "/.well-known/sealwire", from),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 415, 400, 204, 200, 405])
    for (const { headers } of answers) expect(headers).toMatchObject(strict)
    for (const { status, headers } of answers) {
      if (status !== 204) expect(headers).toHaveProperty("cache-control")
    }
  })

  it("do not tell causes apart: what is refused with 400 is the same, byte for byte", async () => {
    const jose = { "content-type": "application/jose" }
    const { envelope } = await sealedRequest()
    // each from its own source: limits are another status
    const refusals = [
      await ask("POST", "/transfers", { ...jose, "x-forwarded-for": "203.0.113.11" }, "junk"),
      await ask("POST", "/transfers", { ...jose, "x-forwarded-for": "203.0.113.12" }, `${envelope}A`),
      await ask("GET", "/other", { "x-forwarded-for": "203.0.113.13" }),
      // no Web request can be this one
      await ask("TRACE", "/transfers", { "x-forwarded-for": "203.0.113.14" }),
    ]
    for (const refusal of refusals) expect(refusal).toEqual(refusals[0])
    expect(refusals[0]?.status).toBe(400)
  })
})
