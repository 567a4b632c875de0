import { once } from "node:events"
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as sendPlain,
  type RequestListener,
} from "node:http"
import { connect, type Socket } from "node:net"

import express from "express"
import { afterEach, describe, expect, it, vi } from "vitest"

import { sealed as sealedExpress, sealedOf } from "../../src/adapters/express.ts"
import { sealed as sealedHono } from "../../src/adapters/hono.ts"
import { createListener, sealedListener } from "../../src/adapters/node.ts"
import type { Endpoint, EndpointEvent, EndpointOptions } from "../../src/server.ts"
import { sendTo } from "../support/over-http.ts"
import { type Answered, type Draft, endpointWith, ORIGIN, sealedRequest } from "../support/sealed-http.ts"
import { listen, type Running } from "./kinds.ts"

const running: Running[] = []
afterEach(async () => {
  for (const each of running.splice(0)) await each.close()
})

async function serve(listener: RequestListener): Promise<Running> {
  const server = await listen(createServer(listener))
  running.push(server)
  return server
}

async function exchange(server: Running, draft: Draft): Promise<Answered> {
  const sealed = await sealedRequest(draft)
  return sealed.read(await sendTo(server, sealed.request))
}

const ok = (): Response => new Response("ok")
const jose = { "content-type": "application/jose" }
const small: Partial<EndpointOptions> = { maxMessageBytes: 1000 }

describe("an early refusal", () => {
  /** Sends a head and then goes on sending, whatever comes back. */
  async function flood(server: Running, head: string[], chunk: string): Promise<string> {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1")
    const received: Buffer[] = []
    socket.on("data", (data: Buffer) => received.push(data))
    socket.on("error", () => undefined)
    socket.write([...head, "", ""].join("\r\n"))
    const ended = new AbortController()
    for (const event of ["end", "close"]) socket.once(event, () => ended.abort())
    while (!ended.signal.aborted) {
      if (!socket.write(chunk)) await once(socket, "drain", { signal: ended.signal }).catch(() => undefined)
    }
    socket.destroy()
    return Buffer.concat(received).toString()
  }

  it.each([
    ["of a length above the limit", "content-length: 1000000000", "x".repeat(65_536)],
    ["of chunks that pass the limit", "transfer-encoding: chunked", `10000\r\n${"x".repeat(65_536)}\r\n`],
  ])("reaches a peer who goes on sending a body %s, and ends the connection", async (_, framing, chunk) => {
    const endpoint = await endpointWith(small)
    const server = await serve(createListener(endpoint, ok))
    const head = ["POST /a HTTP/1.1", "host: x", "content-type: application/jose", framing]
    const text = await flood(server, head, chunk)
    expect(text).toMatch(/^HTTP\/1\.1 413 .*\r\n/)
    expect(text).toMatch(/\r\nconnection: close\r\n/i)
    expect(text).toContain('"status":413')
  })

  it("leaves the connection open where the request has been read whole", async () => {
    const server = await serve(createListener(await endpointWith(), ok))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const sockets = new Set<Socket>()
    for (let i = 0; i < 3; i++) {
      const request = sendPlain(`${server.url}/a`, { method: "POST", headers: jose, agent })
      const [answer] = (await once(request.end("a.b.c.d.e"), "response")) as [IncomingMessage]
      expect(answer.statusCode).toBe(400)
      sockets.add(answer.socket)
      await once(answer.resume(), "end")
    }
    agent.destroy()
    expect(sockets.size).toBe(1)
  })

  it("takes requests that no Web request can be", async () => {
    const server = await serve(createListener(await endpointWith(), ok))
    for (const [method, path] of [
      ["OPTIONS", "*"],
      ["TRACE", "/a"],
      ["GET", "//host:port/a"],
    ]) {
      const request = sendPlain({ ...addressOf(server), method, path, agent: false })
      const [answer] = (await once(request.end(), "response")) as [IncomingMessage]
      expect([method, answer.statusCode]).toEqual([method, 400])
      answer.resume()
    }
  })
})

const addressOf = ({ url }: Running): { host: string; port: string } => ({
  host: "127.0.0.1",
  port: new URL(url).port,
})

describe("a body that breaks off", () => {
  it("is nobody's error, and the server goes on", async () => {
    const onError = vi.fn()
    const endpoint = await endpointWith()
    const server = await serve(createListener(endpoint, ok, { onError }))
    const request = sendPlain(`${server.url}/a`, {
      method: "POST",
      headers: { ...jose, "content-length": 500 },
    })
    request.on("error", () => undefined)
    request.write("eyJ")
    await new Promise((resolve) => setTimeout(resolve, 50))
    request.destroy()
    expect((await exchange(server, {})).text).toBe("ok")
    expect(onError).not.toHaveBeenCalled()
  })
})

describe("node:http", () => {
  it("answers 500 and tells the operator when an open handler throws", async () => {
    const onError = vi.fn()
    const endpoint = await endpointWith({ routes: { "/**": "low" } })
    const fail = (): never => {
      throw new Error("boom")
    }
    const server = await serve(createListener(endpoint, fail, { onError }))
    expect((await fetch(server.url)).status).toBe(500)
    expect(onError).toHaveBeenCalledWith(new Error("boom"))
  })

  it("rejects what is no handler, and an option that there is not", async () => {
    const endpoint = await endpointWith()
    expect(() => createListener(endpoint, "x" as never)).toThrow(/handler must be a function/)
    expect(() => sealedListener(endpoint, undefined as never)).toThrow(/listener must be a function/)
    expect(() => createListener(endpoint, ok, { timeout: 1 } as object)).toThrow(/no option "timeout"/)
  })
})

describe("a listener", () => {
  async function around(
    listener: RequestListener,
    draft: Draft = {},
  ): Promise<{ answer: Answered; events: EndpointEvent[] }> {
    const events: EndpointEvent[] = []
    const endpoint = await endpointWith({ onEvent: (event) => events.push(event) })
    return { answer: await exchange(await serve(sealedListener(endpoint, listener)), draft), events }
  }

  it("that throws, or hangs up, is a handler that failed", async () => {
    const thrown = await around(() => {
      throw new Error("secret detail")
    })
    expect([thrown.answer.status, thrown.answer.text.includes("secret")]).toEqual([500, false])
    expect(thrown.events[0]).toMatchObject({ type: "handler-failed", error: new Error("secret detail") })
    const hungUp = await around((_, res) => res.destroy())
    expect(hungUp.answer.status).toBe(500)
    expect(hungUp.events[0]).toMatchObject({ type: "handler-failed" })
  })

  it("that breaks off in the middle breaks the sealed answer off", async () => {
    const onError = vi.fn()
    const endpoint = await endpointWith({ streamAfterMs: 0 })
    const server = await serve(
      sealedListener(
        endpoint,
        (_, res) => {
          res.write("half of it")
          setTimeout(() => res.destroy(), 50)
        },
        { onError },
      ),
    )
    const { request } = await sealedRequest()
    const answer = await sendTo(server, request)
    expect(answer.status).toBe(200)
    await expect(answer.arrayBuffer()).rejects.toThrow()
    expect(onError).toHaveBeenCalled()
  })

  it("sees who the peer is, and the scheme that the endpoint was made for", async () => {
    const { answer } = await around((req, res) =>
      res.end(
        JSON.stringify([req.socket.remoteAddress, Reflect.get(req.socket, "encrypted"), req.headers.host]),
      ),
    )
    expect(JSON.parse(answer.text)).toEqual(["127.0.0.1", true, new URL(ORIGIN).host])
  })

  it("does not see a head above Node's limit; the peer is told so, sealed", async () => {
    const headers = [["x-long", "x".repeat(20_000)]] as const
    const { answer } = await around((_, res) => res.end("seen"), { headers })
    expect(answer.status).toBe(431)
  })

  it("may give a head above that limit", async () => {
    const { answer } = await around((_, res) => res.setHeader("x-long", "x".repeat(20_000)).end("seen"))
    expect(answer.headers.get("x-long")).toHaveLength(20_000)
  })
})

describe("Express", () => {
  const routes = { "/status": "low", "/**": "medium" } as const

  /** An application that takes the body as something that no envelope is. */
  async function parsing(endpoint: Endpoint, onError: (error: Error) => void): Promise<Running> {
    const app = express()
    app.use(express.urlencoded({ type: "*/*" }), sealedExpress(endpoint))
    app.all("/status", (_, res) => void res.send("open"))
    const handleError: express.ErrorRequestHandler = (error: Error, _req, res, next) => {
      onError(error)
      if (res.headersSent) next()
      else res.sendStatus(500)
    }
    app.use(handleError)
    return serve(app)
  }

  it("says that the body is gone where a parser took it, and refuses", async () => {
    const onError = vi.fn<(error: Error) => void>()
    const server = await parsing(await endpointWith({ routes }), onError)
    const { request } = await sealedRequest()
    expect((await sendTo(server, request)).status).toBe(500)
    expect(onError.mock.calls[0]?.[0].message).toMatch(/parsed before sealwire.*express\.text/)
    const open = await fetch(`${server.url}/status`, {
      method: "POST",
      body: new URLSearchParams({ a: "1" }),
    })
    expect(await open.text()).toBe("open")
    expect(onError).toHaveBeenCalledTimes(1)
  })

  it("takes the body that a parser kept beside what it made of it", async () => {
    const app = express()
    const verify = (req: IncomingMessage, _: unknown, body: Buffer): void =>
      void Object.assign(req, { rawBody: body })
    app.use(express.urlencoded({ type: "application/jose", verify }), sealedExpress(await endpointWith()))
    app.post("/transfers", (_, res) => void res.send("done"))
    expect((await exchange(await serve(app), {})).text).toBe("done")
  })

  it("opens for applications and routers that are mounted below a path", async () => {
    const endpoint = await endpointWith()
    const child = express()
    child.use(sealedExpress(endpoint), express.json())
    child.post("/transfers", (req, res) => void res.json([req.originalUrl, req.baseUrl, req.body]))
    const router = express.Router()
    router.use(sealedExpress(endpoint))
    router.post("/transfers", (req, res) => void res.json([req.originalUrl, req.baseUrl]))
    const app = express()
    app.use("/v1", child)
    app.use("/v2", router)
    const server = await serve(app)
    const headers = [["content-type", "application/json"]] as const
    const first = await exchange(server, { path: "/v1/transfers?a=1", headers, body: "[1]" })
    expect(JSON.parse(first.text)).toEqual(["/v1/transfers?a=1", "/v1", [1]])
    const second = await exchange(server, { path: "/v2/transfers" })
    expect(JSON.parse(second.text)).toEqual(["/v2/transfers", "/v2"])
  })

  it("does not take another endpoint's word for a request", async () => {
    const strict = await endpointWith({ routes: { "/admin": "high" } })
    const app = express()
    app.use(sealedExpress(await endpointWith()))
    app.use("/admin", sealedExpress(strict))
    const seen = vi.fn()
    app.use((req, res) => {
      seen(sealedOf(req))
      res.send("seen")
    })
    const answer = await exchange(await serve(app), { path: "/admin" })
    expect(answer.status).toBe(415)
    expect(seen).not.toHaveBeenCalled()
  })
})

describe("Hono", () => {
  it("says that the body is gone where something read it, and refuses", async () => {
    const { Hono } = await import("hono")
    const errors: string[] = []
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.text()
      await next()
    })
    app.use(sealedHono(await endpointWith()))
    app.onError((error, c) => {
      errors.push(error.message)
      return c.text("failed", 500)
    })
    const { request } = await sealedRequest()
    expect((await app.fetch(request)).status).toBe(500)
    expect(errors).toEqual([expect.stringMatching(/read before sealwire/)])
  })

  it("keeps its headers of the response inside", async () => {
    const { Hono } = await import("hono")
    const app = new Hono()
    app.use(sealedHono(await endpointWith()))
    app.post("/transfers", (c) => c.text("ok", 201, { "x-inner": "secret" }))
    const { request } = await sealedRequest()
    const answer = await app.fetch(request)
    expect([answer.status, answer.headers.get("x-inner")]).toEqual([201, null])
    expect(answer.headers.get("content-type")).toBe("application/jose")
  })
})
