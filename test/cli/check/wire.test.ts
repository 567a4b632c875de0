import { createServer, type RequestListener } from "node:http"
import { createServer as createSocketServer } from "node:net"
import { createServer as createSecureServer } from "node:https"
import type { AddressInfo } from "node:net"

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"

import { tlsOptions } from "../../../src/adapters/node.ts"
import { planOf } from "../../../src/cli/check/plan.ts"
import { readTarget } from "../../../src/cli/check/target.ts"
import {
  MAX_ANSWER_BYTES,
  openWire,
  type Reply,
  type Wire,
  type WireRequest,
} from "../../../src/cli/check/wire.ts"
import { listen, type Running, selfSigned } from "../../adapters/kinds.ts"
import { hasOpenssl } from "../../support/openssl.ts"
import { type Broken, deploy, type Deployment, named, rowsOf, targetOf } from "./deployment.ts"

const GET = { method: "GET", path: "/", headers: {} }
const running: Running[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.close()
})

/** Sends one request to a server that answers so. */
async function ask(listener: RequestListener, timeoutMs?: number): Promise<Reply> {
  const server = await listen(createServer(listener))
  running.push(server)
  return openWire(readTarget(server.url, {}), timeoutMs).send(GET)
}

describe("the wire of a check", () => {
  it("follows no redirect", async () => {
    const paths: (string | undefined)[] = []
    const reply = await ask((req, res) => {
      paths.push(req.url)
      res.writeHead(302, { location: "/elsewhere" }).end()
    })
    expect(reply.status).toBe(302)
    expect(paths).toEqual(["/"])
  })

  it("reads no more than its cap", async () => {
    const most = await ask((_, res) => res.end("x".repeat(MAX_ANSWER_BYTES)))
    expect(most.body).toHaveLength(MAX_ANSWER_BYTES)
    const more = ask((_, res) => res.end("x".repeat(MAX_ANSWER_BYTES + 1)))
    await expect(more).rejects.toThrow(`more than ${MAX_ANSWER_BYTES} bytes came back`)
  })

  it.each<[string, RequestListener]>([
    ["does not come", () => undefined],
    ["comes drop by drop", (_, res) => void setInterval(() => res.write("x"), 20).unref()],
  ])("waits only so long for an answer that %s", async (_, listener) => {
    await expect(ask(listener, 300)).rejects.toThrow("no answer within 0.3 s")
  })

  it("says that nobody listens", async () => {
    const server = await listen(createServer())
    await server.close()
    await expect(openWire(readTarget(server.url, {})).send(GET)).rejects.toThrow("ECONNREFUSED")
  })

  it("takes what is no HTTP for no answer", async () => {
    const server = createSocketServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n")).listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as AddressInfo
    await expect(openWire(readTarget(`http://127.0.0.1:${port}`, {})).send(GET)).rejects.toThrow("HPE_")
    server.close()
  })
})

describe.skipIf(!hasOpenssl)("a handshake of a check", () => {
  let wire: Wire
  let server: Running
  beforeAll(async () => {
    server = await listen(createSecureServer({ ...tlsOptions(), ...selfSigned() }), "")
    wire = openWire(readTarget(server.url, {}), 2000)
  })
  afterAll(() => server.close())

  it("says what was agreed upon, and what the server refused", async () => {
    const suites = "ECDHE-RSA-AES128-GCM-SHA256"
    expect(await wire.shakeHands({ version: "TLSv1.2", suites })).toMatchObject({
      kind: "agreed",
      suite: suites,
    })
    const refused = await wire.shakeHands({ version: "TLSv1.2", suites: "AES128-SHA" })
    expect(refused.kind).toBe("refused")
  })

  it.each([
    ["suites of a later version alone", { version: "TLSv1.1", suites: "AES128-GCM-SHA256" }],
    ["a suite that OpenSSL does not know", { version: "TLSv1.2", suites: "RC9-SHA" }],
  ] as const)("says that this machine could not offer %s, and not that it was refused", async (_, offer) => {
    expect(await wire.shakeHands(offer)).toMatchObject({ kind: "cannot-offer" })
  })

  it("waits only so long for a server that says nothing", async () => {
    const silent = createSocketServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => silent.once("listening", resolve))
    const { port } = silent.address() as AddressInfo
    const target = readTarget(`https://127.0.0.1:${port}`, {})
    const handshake = openWire(target, 300).shakeHands({ version: "TLSv1.3", suites: "ALL" })
    expect(await handshake).toEqual({ kind: "no-answer", reason: "no answer within 0.3 s" })
    silent.close()
  })
})

describe.skipIf(!hasOpenssl)("a check with something on the way", () => {
  let deployment: Deployment
  afterEach(() => deployment.close())

  /** Which rows are red where what a row sends, or what it gets, is changed on the way. */
  async function redWhere(
    row: string,
    nth: number,
    { request = (sent) => sent, reply = (got) => got }: Changes,
    broken: Broken = {},
  ): Promise<string[]> {
    deployment = await deploy(broken)
    const target = targetOf(deployment)
    const before = planOf(target).probes.findIndex(({ name }) => name === row)
    const wire = openWire(target)
    const index = planOf(target)
      .probes.slice(0, before)
      .reduce((sum, { sends }) => sum + sends.length, nth)
    let count = 0
    const changed: Wire = {
      shakeHands: (offer) => (count++, wire.shakeHands(offer)),
      send: async (sent) => (count++ === index ? reply(await wire.send(request(sent))) : wire.send(sent)),
    }
    return named(await rowsOf(target, changed), "fail")
  }

  interface Changes {
    readonly request?: (sent: WireRequest) => WireRequest
    readonly reply?: (got: Reply) => Reply
  }

  it("is red where a sealed request is answered unsealed", async () => {
    const reply = (got: Reply): Reply => ({ ...got, body: Buffer.from("{}") })
    expect(await redWhere("sealed-answer", 0, { reply })).toEqual(["sealed-answer"])
  })

  it("is red where the causes of refusals can be told apart", async () => {
    const reply = (got: Reply): Reply => ({ ...got, body: Buffer.from("bad padding") })
    expect(await redWhere("tamper", 0, { reply })).toEqual(["tamper"])
  })

  it("is red where what was tampered with is answered", async () => {
    const request = ({ headers, ...sent }: WireRequest): WireRequest => ({
      ...sent,
      path: "/status",
      headers: {},
    })
    expect(await redWhere("tamper", 1, { request })).toEqual(["tamper"])
  })

  it("is red where an envelope for one route is acted on at another", async () => {
    const request = (sent: WireRequest): WireRequest => ({ ...sent, path: "/sealwire-check/another-route" })
    const routes = { "/**": "medium" } as const
    expect(await redWhere("cross-route", 0, { request }, { endpoint: { routes } })).toEqual(["cross-route"])
  })

  it("is red where something in front takes no-store away", async () => {
    const reply = (got: Reply): Reply => {
      const headers = new Headers(got.headers)
      headers.set("cache-control", "public, max-age=60")
      return { ...got, headers }
    }
    expect(await redWhere("unsealed-request", 0, { reply })).toEqual(["no-store"])
  })

  it("is red where the directory is changed on its way", async () => {
    const reply = (got: Reply): Reply => ({
      ...got,
      body: Buffer.from(`${got.body.toString().slice(0, -4)}AAAA`),
    })
    const red = await redWhere("directory", 0, { reply })
    expect(red).toEqual(["directory"])
  })
})
