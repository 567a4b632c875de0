/**
 * One small application, written the way each framework wants it.
 *
 * @module
 */

import { once } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { setTimeout as wait } from "node:timers/promises"

import express, { type RequestHandler } from "express"
import fastify, { type FastifyInstance } from "fastify"
import { Hono } from "hono"

import { sealed as sealedExpress, sealedOf } from "../../src/adapters/express.ts"
import { sealed as sealedFastify, sealedOf as sealedOfFastify } from "../../src/adapters/fastify.ts"
import { sealed as sealedHono, type SealedVariables } from "../../src/adapters/hono.ts"
import type { Endpoint, Handler } from "../../src/server.ts"

/** What a test watches of an application. */
export interface Watch {
  /** Somebody has come to `/wait`. */
  arrived: () => void
  /** He has gone. */
  gone: () => void
  /** So many bytes were taken from `/endless`. */
  wrote: (bytes: number) => void
}

export const COOKIES: string[] = ["a=1; Path=/", "b=2; HttpOnly"]
export const LARGE: string = "0123456789abcdef".repeat(65_536)
const CHUNK = new Uint8Array(65_536)
const PARTS = ["one\n", "two\n", "three\n"]

interface Told {
  readonly sealed: boolean
  readonly requestId: string
}

/** `body` is what a parser made of it. */
const echoOf = (req: IncomingMessage, body: unknown, told: Told | undefined): object => ({
  method: req.method,
  path: req.url,
  headers: req.headers,
  body: typeof body === "string" || Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body),
  sealed: told?.sealed,
  requestId: told?.requestId,
})

/** Ends with the connection, and not before. */
function waitFor(res: ServerResponse, watch: Watch): void {
  res.once("close", watch.gone)
  watch.arrived()
}

async function drip(res: ServerResponse): Promise<void> {
  for (const part of PARTS) {
    res.write(part)
    await wait(30)
  }
  res.end()
}

/** Writes as long as somebody takes it. */
async function pour(res: ServerResponse, watch: Watch): Promise<void> {
  const closing = new AbortController()
  const { signal } = closing
  res.once("close", () => {
    closing.abort()
    watch.gone()
  })
  while (!res.destroyed) {
    watch.wrote(CHUNK.length)
    if (!res.write(CHUNK)) await once(res, "drain", { signal }).catch(() => undefined)
  }
}

function pouring(watch: Watch): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      watch.wrote(CHUNK.length)
      controller.enqueue(CHUNK.slice())
    },
    cancel: () => watch.gone(),
  })
}

async function readAll(req: IncomingMessage): Promise<string> {
  const chunks = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** For `createListener`. */
export function webApp(watch: Watch): Handler {
  const dripping = async function* (): AsyncGenerator<Uint8Array> {
    for (const part of PARTS) {
      yield new TextEncoder().encode(part)
      await wait(30)
    }
  }
  const routes: Record<string, Handler> = {
    "POST /echo": async (request, { sealed, requestId }) =>
      Response.json({
        method: request.method,
        path: new URL(request.url).pathname + new URL(request.url).search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
        sealed,
        requestId,
      }),
    "GET /account": () => new Response("balance", { headers: { "x-mark": "m" } }),
    "HEAD /account": () => new Response(null, { headers: { "x-mark": "m" } }),
    "DELETE /account": () => new Response(null, { status: 204 }),
    "GET /cached": () => new Response(null, { status: 304, headers: { etag: '"1"' } }),
    "GET /cookies": () =>
      new Response("set", { headers: COOKIES.map((cookie): [string, string] => ["set-cookie", cookie]) }),
    "GET /events": () =>
      new Response(Readable.toWeb(Readable.from(dripping())) as ReadableStream, {
        headers: { "content-type": "text/event-stream" },
      }),
    "GET /large": () => new Response(LARGE),
    "GET /fail": () => {
      throw new Error("secret detail")
    },
    "GET /wait": ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          watch.gone()
          reject(signal.reason as Error)
        })
        watch.arrived()
      }),
    "GET /endless": () => new Response(pouring(watch)),
    "GET /status": (_, { sealed }) => Response.json({ sealed }),
  }
  return (request, details) => {
    const route = routes[`${request.method} ${new URL(request.url).pathname}`]
    return route ? route(request, details) : new Response("no such page", { status: 404 })
  }
}

/** For `sealedListener`: nothing but Node. */
export function nodeApp(watch: Watch): (req: IncomingMessage, res: ServerResponse) => Promise<unknown> {
  type Route = (req: IncomingMessage, res: ServerResponse) => unknown
  const account: Route = (_, res) => res.setHeader("x-mark", "m").end("balance")
  const routes: Record<string, Route> = {
    "POST /echo": async (req, res) => {
      const body = JSON.stringify(echoOf(req, await readAll(req), sealedOf(req)))
      // what comes before and after a response, and is no part of a message
      res.writeEarlyHints({ link: "</style.css>; rel=preload" })
      res.writeHead(200, { trailer: "x-after" }).write(body)
      res.addTrailers({ "x-after": "1" })
      res.end()
    },
    "GET /account": account,
    "HEAD /account": account,
    "DELETE /account": (_, res) => res.writeHead(204).end(),
    "GET /cached": (_, res) => res.writeHead(304, { etag: '"1"' }).end(),
    "GET /cookies": (_, res) => res.setHeader("set-cookie", COOKIES).end("set"),
    "GET /events": (req, res) => {
      req.socket.setNoDelay(true).setTimeout(0)
      return drip(res.setHeader("content-type", "text/event-stream"))
    },
    "GET /large": (_, res) => res.end(LARGE),
    "GET /fail": () => Promise.reject(new Error("secret detail")),
    "GET /wait": (_, res) => waitFor(res, watch),
    "GET /endless": (_, res) => pour(res, watch),
    "GET /status": (req, res) => res.end(JSON.stringify({ sealed: sealedOf(req)?.sealed })),
  }
  return async (req, res) => {
    const route = routes[`${req.method ?? ""} ${req.url?.split("?")[0] ?? ""}`]
    if (route) await route(req, res)
    else res.writeHead(404).end("no such page")
  }
}

/** An Express application; `before` stands in front of the middleware. */
export function expressApp(
  endpoint: Endpoint,
  watch: Watch,
  before: RequestHandler[] = [],
): express.Application {
  const app = express()
  if (before.length > 0) app.use(before)
  app.use(sealedExpress(endpoint), express.text({ type: "*/*" }))
  app.post("/echo", (req, res) => void res.json(echoOf(req, req.body, sealedOf(req))))
  app
    .route("/account")
    .get((_, res) => void res.set("x-mark", "m").send("balance"))
    .delete((_, res) => void res.sendStatus(204))
  app.get("/cached", (_, res) => void res.status(304).set("etag", '"1"').end())
  app.get("/cookies", (_, res) => void res.append("set-cookie", COOKIES).send("set"))
  app.get("/events", (_, res) => drip(res.type("text/event-stream")))
  app.get("/large", (_, res) => void res.send(LARGE))
  app.get("/fail", () => Promise.reject(new Error("secret detail")))
  app.get("/wait", (_, res) => waitFor(res, watch))
  app.get("/endless", (_, res) => pour(res, watch))
  app.get("/status", (req, res) => void res.json({ sealed: sealedOf(req)?.sealed }))
  const onError: express.ErrorRequestHandler = ({ status = 500 }: { status?: number }, _req, res, next) => {
    if (res.headersSent) next()
    else res.status(status).send("something failed")
  }
  app.use(onError)
  return app
}

/** A Fastify application. */
export function fastifyApp(endpoint: Endpoint, watch: Watch): FastifyInstance {
  const app = fastify()
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body))
  void app.register(sealedFastify(endpoint))
  app.post("/echo", async (request) => echoOf(request.raw, request.body, sealedOfFastify(request)))
  app.get("/account", (_, reply) => reply.header("x-mark", "m").send("balance"))
  app.delete("/account", (_, reply) => reply.code(204).send())
  app.get("/cached", (_, reply) => reply.code(304).header("etag", '"1"').send())
  app.get("/cookies", (_, reply) => reply.header("set-cookie", COOKIES).send("set"))
  app.get("/events", (_, reply) => {
    reply.hijack()
    return drip(reply.raw.setHeader("content-type", "text/event-stream"))
  })
  app.get("/large", () => Promise.resolve(LARGE))
  app.get("/fail", () => Promise.reject(new Error("secret detail")))
  app.get("/wait", (_, reply) => {
    reply.hijack()
    waitFor(reply.raw, watch)
  })
  app.get("/endless", (_, reply) => {
    reply.hijack()
    void pour(reply.raw, watch)
  })
  app.get("/status", async (request) => ({ sealed: sealedOfFastify(request)?.sealed }))
  app.setErrorHandler((_, __, reply) => reply.code(500).send("something failed"))
  return app
}

/** A Hono application. */
export function honoApp(endpoint: Endpoint, watch: Watch): Hono<{ Variables: SealedVariables }> {
  const app = new Hono<{ Variables: SealedVariables }>()
  app.use(sealedHono(endpoint))
  const web = webApp(watch)
  for (const path of [
    "/echo",
    "/account",
    "/cached",
    "/cookies",
    "/events",
    "/large",
    "/fail",
    "/wait",
    "/endless",
    "/status",
  ]) {
    app.all(path, (c) => web(c.req.raw, c.get("sealed")))
  }
  app.onError((_, c) => c.text("something failed", 500))
  return app
}
