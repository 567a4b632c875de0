/** What an endpoint believes of who comes by a Unix socket, on real ones. */

import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, request as nodeRequest, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { createAdaptorServer } from "@hono/node-server"
import express from "express"
import Fastify from "fastify"
import { Hono } from "hono"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"

import { sealed as sealedExpress } from "../../src/adapters/express.ts"
import { sealed as sealedFastify } from "../../src/adapters/fastify.ts"
import { sealed as sealedHono } from "../../src/adapters/hono.ts"
import { createListener } from "../../src/adapters/node.ts"
import { createEndpoint, type Endpoint, type EndpointEvent } from "../../src/server.ts"
import { freshGuard, ORIGIN, serverKey } from "../support/sealed-http.ts"

const FORWARDED = { "x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https" }
let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sealwire-unix-"))
  path = join(folder, "app.sock")
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function statusAt(target: { socketPath: string } | { port: number }, headers = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = nodeRequest({ ...target, host: "127.0.0.1", path: "/status", headers, agent: false })
    sent.on("response", (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    sent.on("error", reject)
    sent.end()
  })
}

async function endpointThat(trustedProxies: string[], events: EndpointEvent[] = []): Promise<Endpoint> {
  return createEndpoint({
    origin: ORIGIN,
    keys: await serverKey(),
    replay: freshGuard(),
    routes: { "/status": "low" },
    limits: { bySource: { low: 1 } },
    trustedProxies,
    onEvent: (event) => void events.push(event),
  })
}

async function listening(server: Server, target: string | number = path): Promise<Server> {
  server.listen(target)
  await once(server, "listening")
  return server
}

const up = (): Response => new Response("up")

/** By adapter: how it is put onto the socket, and taken off. */
const SERVERS: Readonly<Record<string, (endpoint: Endpoint) => Promise<() => unknown>>> = {
  async node(endpoint) {
    const server = await listening(createServer(createListener(endpoint, up)))
    return () => server.close()
  },
  async express(endpoint) {
    const app = express().use(sealedExpress(endpoint))
    app.get("/status", (_, res) => void res.send("up"))
    const server = await listening(createServer(app))
    return () => server.close()
  },
  async fastify(endpoint) {
    const app = Fastify()
    void app.register(sealedFastify(endpoint))
    app.get("/status", () => "up")
    await app.listen({ path })
    return () => app.close()
  },
  async hono(endpoint) {
    const app = new Hono()
    app.use(sealedHono(endpoint))
    app.get("/status", (c) => c.text("up"))
    const server = await listening(createAdaptorServer({ fetch: app.fetch }) as Server)
    return () => server.close()
  },
}

describe.each(Object.entries(SERVERS))("a Unix socket of %s", (_, serve) => {
  it("tells what its proxy says, where it is trusted as unix", async () => {
    const close = await serve(await endpointThat(["unix"]))
    try {
      expect(await statusAt({ socketPath: path }, FORWARDED)).toBe(200)
      // counted by who stands behind the proxy
      expect(await statusAt({ socketPath: path }, FORWARDED)).toBe(429)
      const other = { ...FORWARDED, "x-forwarded-for": "198.51.100.2" }
      expect(await statusAt({ socketPath: path }, other)).toBe(200)
      expect(await statusAt({ socketPath: path }, { "x-forwarded-for": "198.51.100.3" })).toBe(403)
    } finally {
      await close()
    }
  })

  it("is believed nothing where it is not", async () => {
    const close = await serve(await endpointThat(["127.0.0.1", "::1"]))
    try {
      expect(await statusAt({ socketPath: path }, FORWARDED)).toBe(403)
      expect(await statusAt({ socketPath: path })).toBe(200)
    } finally {
      await close()
    }
  })
})

it("takes nobody who comes over TCP for one of a Unix socket, not even one who is gone", async () => {
  const events: EndpointEvent[] = []
  const answer = vi.fn(up)
  const listener = createListener(await endpointThat(["unix"], events), answer)
  const server = createServer((req, res) => {
    // a socket that was reset has no address
    req.socket.destroy()
    expect(req.socket.remoteAddress).toBeUndefined()
    listener(req, res)
  })
  await listening(server, 0)
  try {
    const { port } = server.address() as AddressInfo
    await expect(statusAt({ port }, FORWARDED)).rejects.toThrow()
    await expect.poll(() => events).toContainEqual(expect.objectContaining({ reason: "plain-http" }))
    expect(answer).not.toHaveBeenCalled()
  } finally {
    server.close()
  }
})
