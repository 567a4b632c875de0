import { describe, expect, it } from "vitest"

import { carryOut, planOf, sendsOf } from "../../../src/cli/check/plan.ts"
import { listOf, tableOf } from "../../../src/cli/check/table.ts"
import { MAX_REQUESTS, readTarget, type TargetOptions } from "../../../src/cli/check/target.ts"
import { NoAnswer, type Reply, type Wire } from "../../../src/cli/check/wire.ts"

const HERE = "https://127.0.0.1:8443"
const plan = (options: TargetOptions = {}, url = HERE) => planOf(readTarget(url, options))

/** A wire that is connected to nothing but this. */
const answering = (reply: () => Promise<Reply>): Wire => ({
  send: reply,
  shakeHands: () => Promise.resolve({ kind: "no-answer", reason: "ECONNREFUSED" }),
})

const replyOf = (status: number, headers: Record<string, string>, body = ""): Reply => ({
  status,
  headers: new Headers(headers),
  body: Buffer.from(body),
})

describe("what may be checked", () => {
  it.each([
    "http://127.0.0.1",
    "https://127.8.9.1:8443",
    "http://localhost:3000",
    "http://[::1]:3000",
    "http://0x7f.1",
  ])("is loopback, without a word: %s", (url) => {
    expect(readTarget(url, {}).isLoopback).toBe(true)
  })

  it.each([
    "https://api.example.com",
    "http://10.0.0.1",
    "http://0.0.0.0",
    "https://localhost.example.com",
    "https://127.0.0.1.example.com",
    "https://example.localhost",
    "http://[::ffff:127.0.0.1]",
    "http://[::2]",
  ])("is another host only where it was typed once more: %s", (url) => {
    const { host } = new URL(url)
    expect(() => readTarget(url, {})).toThrow(
      `${host} is not this machine: if you operate it, add --i-operate ${host}`,
    )
    for (const iOperate of ["", "yes", "example.com", host.slice(0, -1), `${host}.`, `https://${host}`]) {
      expect(() => readTarget(url, { iOperate })).toThrow(`must be the URL's host in full, ${host}`)
    }
    expect(readTarget(url, { iOperate: host })).toMatchObject({ isLoopback: false })
  })

  it("is a host with its port, where the URL has one", () => {
    const url = "https://api.example.com:8443"
    expect(() => readTarget(url, { iOperate: "api.example.com" })).toThrow(/in full, api\.example\.com:8443/)
    expect(readTarget(url, { iOperate: "api.example.com:8443" }).url.href).toBe(`${url}/`)
  })

  it("is what was typed, also on this machine", () => {
    expect(() => readTarget(HERE, { iOperate: "api.example.com" })).toThrow(/in full, 127\.0\.0\.1:8443/)
  })

  it.each([
    "",
    "api.example.com",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    `${HERE}/account`,
    `${HERE}?a`,
    `${HERE}#a`,
    "https://a:b@127.0.0.1",
  ])('is an origin, and not "%s"', (url) => {
    expect(() => readTarget(url, {})).toThrow(expect.objectContaining({ code: "ERR_USAGE" }))
  })

  it.each([
    "account",
    "TRACE /account",
    "get /account",
    "//example.com/account",
    "/\\example.com",
    "/a b",
    "/a#b",
    "",
  ])('has a route of its own, and not "%s"', (route) => {
    expect(() => readTarget(HERE, { route })).toThrow(/^--route must be a path/)
  })

  it("has a route with the method that was typed, or GET", () => {
    expect(readTarget(HERE, { route: "/a/../b?c=d" }).route).toEqual({ method: "GET", path: "/b?c=d" })
    expect(readTarget(HERE, { route: "POST /echo" }).route).toEqual({ method: "POST", path: "/echo" })
  })

  it("has a pin that is one, and a limit of a route", () => {
    expect(() => readTarget(HERE, { pin: "A".repeat(42) })).toThrow(/^--pin must be/)
    expect(() => readTarget(HERE, { limit: 30 })).toThrow(/^--limit needs --route/)
  })
})

describe("the plan of a check", () => {
  it("is at most 60 requests and handshakes, or none is made", () => {
    const most = plan({ route: "/account", limit: 37 })
    expect(most.requests).toBe(MAX_REQUESTS)
    expect(most.probes.flatMap(sendsOf)).toHaveLength(MAX_REQUESTS)
    expect(() => plan({ route: "/account", limit: 38 })).toThrow(
      "this would take 61 requests, and 60 are the most: --limit 37 or below",
    )
    expect(() => plan({ route: "/account", limit: 1e12 })).toThrow(/^--limit must be below 60/)
  })

  it("lists each of them, with its number", () => {
    const text = listOf(plan({ route: "/account", limit: 30 }))
    expect(text).toMatch(/^To https:\/\/127\.0\.0\.1:8443, at most 53 requests and handshakes:\n/)
    expect(text).toContain("\n     11  replay            sealed GET /account\n")
    expect(text).toContain("\n     12  replay            the same envelope again\n")
    expect(text).toContain("\n  23–53  limit             GET /account, not sealed\n")
  })

  it("has no more than directory and CORS where neither TLS nor a route is there", () => {
    const { requests, probes } = plan({}, "http://127.0.0.1:3000")
    expect(requests).toBe(5)
    const run = probes.filter(({ skip, sends }) => skip === undefined && sends.length > 0)
    expect(run.map(({ name }) => name)).toEqual([
      "directory",
      "seq",
      "cors-foreign",
      "cors-null",
      "cors-preflight",
    ])
  })

  it("is never exceeded, not even by a row that has announced less", async () => {
    const greedy = plan({}, "http://127.0.0.1:3000")
    const probes = greedy.probes.map((probe) => ({ ...probe, sends: probe.sends.slice(1) }))
    const wire = answering(() => Promise.resolve(replyOf(200, {})))
    await expect(carryOut({ ...greedy, probes }, wire)).rejects.toThrow("0 requests were announced")
  })
})

describe("a check that gets no answers", () => {
  it("is red, and claims nothing about what it has not seen", async () => {
    const wire = answering(() => Promise.reject(new NoAnswer("ECONNREFUSED")))
    const { rows } = await carryOut(plan({ route: "/account", limit: 2 }), wire)
    const passed = rows.filter(({ verdict }) => verdict === "pass")
    expect(passed.map(({ name }) => name)).toEqual(["https"])
    expect(rows.find(({ name }) => name === "directory")).toMatchObject({
      verdict: "fail",
      received: "nothing came back: ECONNREFUSED",
    })
  })

  it("is red where a plain page answers everything with 200", async () => {
    const wire = answering(() => Promise.resolve(replyOf(200, { "content-type": "text/html" }, "<p>hello")))
    const { rows } = await carryOut(plan({ route: "/account" }), wire)
    expect(rows.find(({ name }) => name === "directory")).toMatchObject({
      verdict: "fail",
      received: "200 text/html, which is no directory",
    })
    expect(rows.find(({ name }) => name === "unsealed-request")?.verdict).toBe("fail")
  })

  it("is red where redirects take the place of refusals", async () => {
    const wire = answering(() => Promise.resolve(replyOf(302, { location: "https://example.com" })))
    const { rows } = await carryOut(plan({ route: "/account" }), wire)
    expect(rows.find(({ name }) => name === "unsealed-request")?.verdict).toBe("fail")
  })

  it("says what ran out, and tests nothing on it, where the server asks to wait", async () => {
    const wire = answering(() => Promise.resolve(replyOf(429, { "retry-after": "7" })))
    const { rows } = await carryOut(plan({ route: "/account" }), wire)
    expect(rows.find(({ name }) => name === "unsealed-request")).toMatchObject({
      verdict: "not tested",
      received: "429, retry-after 7",
    })
  })
})

describe("the table", () => {
  it("shows nothing from outside that moves the cursor, and not much of it", async () => {
    const wire = answering(() =>
      Promise.resolve(replyOf(200, { "content-type": `\u009b2J${"x".repeat(9999)}` })),
    )
    const { rows } = await carryOut(plan(), wire)
    const table = tableOf(rows)
    expect(table).toContain("200 \\u{9b}2Jxxx")
    expect(table).not.toContain("\u009b")
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThan(300)
  })

  it("says what to do about every row that is not green, and how many are", async () => {
    const wire = answering(() => Promise.reject(new NoAnswer("ECONNREFUSED")))
    const { rows } = await carryOut(plan(), wire)
    for (const { verdict, advice } of rows) expect(advice === undefined).toBe(verdict === "pass")
    expect(tableOf(rows)).toMatch(/\n1 passed, 1 failed, 25 not tested\n$/)
  })
})
