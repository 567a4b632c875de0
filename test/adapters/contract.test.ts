import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

import { createAdaptorServer } from "@hono/node-server"
import type { Server } from "node:http"
import express, { type ErrorRequestHandler } from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { describe, it } from "vitest"

import { sealed as sealedExpress, sealedOf } from "../../src/adapters/express.ts"
import { sealed as sealedFastify, sealedOf as sealedOfFastify } from "../../src/adapters/fastify.ts"
import { sealed as sealedHono, type SealedVariables } from "../../src/adapters/hono.ts"
import { createListener, sealedListener } from "../../src/adapters/node.ts"
import { createClient } from "../../src/client.ts"
import type { Endpoint, Handler } from "../../src/server.ts"
import { type AdapterApp, adapterContract, type AdapterResponse } from "../../src/testing.ts"
import { endpointWith, ORIGIN, serverKey } from "../support/sealed-http.ts"
import { listen, type Running } from "./kinds.ts"

const ROUTES = { "/open": "low", "/**": "medium" } as const

type Told = { readonly sealed: boolean; readonly requestId: string } | undefined

/** Over Web requests and responses. */
const webHandler =
  (app: AdapterApp): Handler =>
  async (request, { sealed, requestId }) => {
    const { pathname, search } = new URL(request.url)
    const { status, headers, chunks } = await app({
      method: request.method,
      path: pathname + search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      sealed,
      requestId,
    })
    const hasBody = request.method !== "HEAD" && status !== 204 && status !== 304
    const lines = headers.map(([name, value]): [string, string] => [name, value])
    return new Response(
      hasBody ? (Readable.toWeb(Readable.from(chunks, { objectMode: false })) as ReadableStream) : null,
      {
        status,
        headers: lines,
      },
    )
  }

async function write(res: ServerResponse, { status, headers, chunks }: AdapterResponse): Promise<void> {
  res.statusCode = status
  for (const [name, value] of headers) res.appendHeader(name, value)
  // the peer's going is not an error of the server's
  await pipeline(Readable.from(chunks, { objectMode: false }), res).catch(() => undefined)
}

const ask = (app: AdapterApp, req: IncomingMessage, body: string, told: Told): Promise<AdapterResponse> =>
  app({
    method: req.method ?? "",
    path: req.url ?? "",
    headers: req.headers,
    body,
    sealed: told?.sealed,
    requestId: told?.requestId,
  })

async function readAll(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function expressApp(endpoint: Endpoint, app: AdapterApp): express.Application {
  const server = express()
  server.use(sealedExpress(endpoint), express.text({ type: "*/*" }))
  server.all("/{*path}", async (req, res) => {
    const body: unknown = req.body
    await write(res, await ask(app, req, typeof body === "string" ? body : "", sealedOf(req)))
  })
  const onError: ErrorRequestHandler = (error, _req, res, next) => {
    if (res.headersSent) next(error)
    else res.status(500).send("failed")
  }
  return server.use(onError)
}

async function startFastify(endpoint: Endpoint, app: AdapterApp): Promise<Running> {
  const server = fastify()
  server.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body))
  server.addContentTypeParser("application/json", { parseAs: "string" }, (_, body, done) => done(null, body))
  void server.register(sealedFastify(endpoint))
  server.setErrorHandler((_, __, reply) => reply.code(500).send("failed"))
  server.all("/*", async (request, reply) => {
    const body = typeof request.body === "string" ? request.body : ""
    const answer = await ask(app, request.raw, body, sealedOfFastify(request))
    reply.hijack()
    await write(reply.raw, answer)
  })
  const url = await server.listen({ port: 0, host: "127.0.0.1" })
  const close = async (): Promise<void> => {
    server.server.closeAllConnections()
    await server.close()
  }
  return { url, close }
}

function honoApp(endpoint: Endpoint, app: AdapterApp): Hono<{ Variables: SealedVariables }> {
  const server = new Hono<{ Variables: SealedVariables }>()
  server.use(sealedHono(endpoint))
  server.all("*", (c) => webHandler(app)(c.req.raw, c.get("sealed")))
  server.onError((_, c) => c.text("failed", 500))
  return server
}

const quiet = { onError: (): void => undefined }

const adapters: Readonly<Record<string, (endpoint: Endpoint, app: AdapterApp) => Promise<Running>>> = {
  "node:http with a Web handler": (endpoint, app) =>
    listen(createServer(createListener(endpoint, webHandler(app), quiet))),
  "node:http around a listener": (endpoint, app) =>
    listen(
      createServer(
        sealedListener(
          endpoint,
          async (req, res) => write(res, await ask(app, req, await readAll(req), sealedOf(req))),
          quiet,
        ),
      ),
    ),
  Express: (endpoint, app) => listen(createServer(expressApp(endpoint, app))),
  Fastify: startFastify,
  "Hono on @hono/node-server": (endpoint, app) =>
    listen(createAdaptorServer({ fetch: honoApp(endpoint, app).fetch }) as Server),
}

describe.each(Object.entries(adapters))("the contract of adapters: %s", (_, start) => {
  const cases = adapterContract({
    start: async (app) => start(await endpointWith({ routes: ROUTES }), app),
    client: async (baseUrl, fetch) => {
      const { publicKey: keys } = await serverKey()
      return createClient({ baseUrl, keys, origin: ORIGIN, fetch, retry: { attempts: 1 } })
    },
  })
  it.each(cases)("$name", ({ run }) => run())
})
