/** The example as an operator starts it, asked as clients and attackers would. Each test asks from an address of its own. */

import { execFileSync, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname } from "node:path"

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import { carryOut, planOf } from "../../src/cli/check/plan.ts"
import { readTarget } from "../../src/cli/check/target.ts"
import { openWire } from "../../src/cli/check/wire.ts"
import { notRun } from "../support/not-run.ts"
import { agreedTls, hasOpenssl } from "../support/openssl.ts"
import { errorOf } from "../support/reader.ts"
import { hasRedisServer } from "../support/redis-server.ts"
import {
  type Answer,
  ask,
  type Asking,
  clientOf,
  type Installed,
  installSecureServer,
  isInstalled,
  type SecureServer,
  startSecureServer,
} from "../support/secure-server.ts"

const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` }
const hasProgram = (program: string): boolean => !spawnSync(program, ["--version"], { env }).error

const missing =
  (!isInstalled && "examples/secure-server (npm ci --prefix examples/secure-server)") ||
  (!hasProgram("nginx") && "nginx") ||
  (!hasRedisServer() && "redis-server") ||
  (!hasOpenssl && "openssl")
if (missing) notRun("the example of a secure server", missing)
const noScan = !hasProgram("sslscan")
if (noScan) notRun("sslscan of the secure server", "sslscan")

const SECURITY_HEADERS = [
  "strict-transport-security",
  "content-security-policy",
  "x-content-type-options",
  "x-frame-options",
  "referrer-policy",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "x-xss-protection",
  "cache-control",
]

describe.skipIf(missing)("the example of a secure server", () => {
  let installed: Installed
  let server: SecureServer
  beforeAll(async () => {
    installed = await installSecureServer()
    server = await startSecureServer(installed)
  }, 120_000)
  afterAll(async () => {
    await server.end()
    installed.remove()
  })

  const host = (): string => new URL(server.about.url).host
  const get = (path: string, asking: Asking): Promise<Answer> =>
    ask(server.about.url + path, { ca: server.ca, ...asking })
  const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })
  const transfer = (order: object): RequestInit => ({
    method: "POST",
    headers: { ...bearer(server.apiKeys.teller), "content-type": "application/json" },
    body: JSON.stringify(order),
  })
  /** Waits for the log, which comes by another way than answers. */
  const logged = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 20_000 })
  /** What was refused of requests from an address. */
  const refusalsOf = (source: string): unknown[] =>
    server.log().filter(({ type, source: from }) => type === "refused" && from === source)

  test("TLS 1.2 and 1.3 are spoken, older ones are refused to clients that want nothing else", async () => {
    expect(await agreedTls(host(), "-tls1_3")).toBe("TLSv1.3 TLS_AES_256_GCM_SHA384")
    expect(await agreedTls(host(), "-tls1_2")).toBe("TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384")
    for (const old of ["-tls1", "-tls1_1"]) {
      expect(await agreedTls(host(), old, "-cipher", "ALL:@SECLEVEL=0")).toBeUndefined()
    }
  })

  test.each(["AES256-GCM-SHA384", "AES128-SHA", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA"])(
    "no suite without forward secrecy or AEAD is agreed to, such as %s",
    async (suite) => {
      expect(await agreedTls(host(), "-tls1_2", "-cipher", `${suite}:@SECLEVEL=0`)).toBeUndefined()
    },
  )

  test.skipIf(noScan)("sslscan finds two versions, and forward-secret AEAD suites alone", () => {
    const scan = execFileSync("sslscan", ["--xml=-", host()], { encoding: "utf8" })
    const enabled = [...scan.matchAll(/<protocol type="(\w+)" version="([\d.]+)" enabled="1"/g)]
    expect(enabled.map(([, type = "", version = ""]) => type + version).sort()).toEqual(["tls1.2", "tls1.3"])
    const suites = [...scan.matchAll(/<cipher [^>]*cipher="([^"]+)"/g)].map(([, suite = ""]) => suite)
    expect(suites.length).toBeGreaterThanOrEqual(6)
    for (const suite of suites) {
      expect(suite).toMatch(/^(?:TLS|ECDHE)[\w-]*(?:GCM[-_]SHA\d+|CHACHA20[-_]POLY1305(?:_SHA256)?)$/)
    }
  })

  test("plain HTTP is refused: by nginx, and by the application of what a proxy calls plain", async () => {
    const plain = await ask(`http://${host()}/status`, { from: "127.0.0.1" })
    expect(plain.status).toBe(403)
    expect(plain.headers.map(([name]) => name)).not.toContain("location")
    expect(plain.headers.map(([name]) => name)).not.toContain("strict-transport-security")
    const forwarded = { "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "http" }
    const inside = await ask(`${server.about.appUrl}/status`, { from: "127.0.0.1", headers: forwarded })
    expect(inside.status).toBe(403)
    await logged(() => {
      expect(refusalsOf("203.0.113.7")).toMatchObject([{ status: 403, reason: "plain-http" }])
    })
  })

  test("a sealed request comes through nginx and back, to who has pinned the identity", async () => {
    const client = clientOf(server, "127.0.0.10")
    const answer = await client.fetch(
      "/transfers",
      transfer({ to: "DE02", cents: 12_000, reference: "rent" }),
    )
    expect(answer.status).toBe(201)
    const { number } = (await answer.json()) as { number: number }
    const listed = await client.fetch("/transfers?to=DE02", { headers: bearer(server.apiKeys.teller) })
    expect(await listed.json()).toEqual([{ number, to: "DE02", cents: 12_000, reference: "rent" }])

    const other = clientOf(server, "127.0.0.10", "A".repeat(43))
    expect(await errorOf(other.fetch("/transfers"))).toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
  })

  test("what clients say of their address does not change it", async () => {
    const headers = {
      "x-forwarded-for": "198.51.100.9",
      forwarded: "for=198.51.100.9",
      "x-real-ip": "198.51.100.9",
    }
    // the second is the address that nginx has, too, and so one that is trusted
    for (const from of ["127.0.0.11", "127.0.0.1"]) {
      const before = refusalsOf(from).length
      const answer = await get("/transfers", { from, method: "POST", headers, body: "{}" })
      expect(answer.status).toBe(415)
      await logged(() => {
        expect(refusalsOf(from)).toHaveLength(before + 1)
      })
    }
    expect(refusalsOf("198.51.100.9")).toEqual([])
  })

  test("no header comes twice, whoever of the three sets it", async () => {
    const from = "127.0.0.12"
    const post = { from, method: "POST" }
    const answers = {
      page: [200, await get("/", { from })],
      style: [200, await get("/style.css", { from })],
      open: [200, await get("/status", { from })],
      directory: [200, await get("/.well-known/sealwire", { from })],
      refusal: [415, await get("/transfers", { ...post, body: "{}" })],
      preflight: [
        204,
        await get("/transfers", {
          from,
          method: "OPTIONS",
          headers: { origin: "https://app.example", "access-control-request-method": "POST" },
        }),
      ],
      "too long for nginx": [413, await get("/transfers", { ...post, body: "x".repeat(2_000_000) })],
    } as const
    for (const [what, [status, { status: came, headers }]] of Object.entries(answers)) {
      expect([what, came]).toEqual([what, status])
      const names = headers.map(([name]) => name)
      expect([what, names.filter((name, at) => names.indexOf(name) !== at)]).toEqual([what, []])
      for (const name of SECURITY_HEADERS) expect([what, ...names]).toContain(name)
    }
  })

  test("SQL and markup come back as the text that they are", async () => {
    const client = clientOf(server, "127.0.0.13")
    const [to, greeting] = ["'); drop table transfers;--", `"><script>alert('x')</script>&`]
    const answer = await client.fetch(
      "/transfers",
      transfer({ to, cents: 1, reference: "' or 1=1", greeting }),
    )
    expect(answer.status).toBe(201)
    const path = `/transfers?to=${encodeURIComponent(to)}`
    const listed = await client.fetch(path, { headers: bearer(server.apiKeys.teller) })
    expect(await listed.json()).toMatchObject([{ to, cents: 1, reference: "' or 1=1" }])
    const none = await client.fetch(`/transfers?to=${encodeURIComponent("' or '1'='1")}`, {
      headers: bearer(server.apiKeys.teller),
    })
    expect(await none.json()).toEqual([])

    const page = await get("/", { from: "127.0.0.13" })
    expect(page.text).toContain("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;")
    expect(page.text).toContain(`title="to &#39;); drop table transfers;--"`)
    expect(page.text).not.toMatch(/<script|<style| style=| on\w+=/)
    expect(Object.fromEntries(page.headers)["content-security-policy"]).toBe(
      "default-src 'none';style-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    )
  })

  test("only strict JSON of the expected shape is booked", async () => {
    const client = clientOf(server, "127.0.0.14")
    const send = async (body: string): Promise<number> =>
      (await client.fetch("/transfers", { ...transfer({}), body })).status
    expect(await send('{"to":"a","to":"b","cents":1,"reference":""}')).toBe(400)
    expect(await send('{"to":"a","cents":1,"reference":"","__proto__":{"admin":true}}')).toBe(400)
    expect(await send('{"to":"a","cents":1,"reference":"","more":1}')).toBe(422)
  })

  test("an alert is given of a burst of refusals, and of nothing before it", async () => {
    const from = "127.0.0.20"
    const alerts = (): unknown[] => server.log().filter(({ alert }) => alert !== undefined)
    const send = (): Promise<Answer> => get("/transfers", { from, method: "POST", body: "{}" })
    for (let at = 0; at < 20; at++) await send()
    await logged(() => {
      expect(refusalsOf(from)).toHaveLength(20)
    })
    expect(alerts()).toEqual([])
    await send()
    await logged(() => {
      expect(alerts()).toMatchObject([{ source: from, count: 21, why: { "415": 5, "source-limit": 16 } }])
    })
  })

  test("its limiter is Redis, and its log has no key and nothing of a message", () => {
    const log = JSON.stringify(server.log())
    expect(log).not.toContain("limiter-failed")
    for (const secret of [server.apiKeys.teller, server.apiKeys.auditor, "rent", "drop table", "script"]) {
      expect(log).not.toContain(secret)
    }
  })

  test("sealwire check is green in every row", async () => {
    const { url, pin } = server.about
    const target = { ...readTarget(url, { pin, route: "/transfers", limit: 30 }), ca: server.ca }
    const { rows } = await carryOut(planOf(target), openWire(target))
    expect(rows.filter(({ verdict }) => verdict !== "pass")).toEqual([])
  })

  test("it ends when it is asked to, and leaves nothing", async () => {
    expect(await server.end()).toBe(0)
    expect(existsSync(dirname(server.about.caFile))).toBe(false)
    for (const url of [`https://${host()}`, server.about.appUrl]) {
      expect(await errorOf(ask(url, { from: "127.0.0.1" }))).toMatchObject({ code: "ECONNREFUSED" })
    }
  })

  test("it says what is missing, and which package of Debian brings it", () => {
    const options = { env: { PATH: "/nowhere" }, encoding: "utf8" } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [installed.main], options)
    expect([status, stdout]).toEqual([1, ""])
    expect(stderr).toBe(
      "not installed here: redis-server, openssl. On Debian: apt-get install redis-server openssl\n",
    )
  })
})
