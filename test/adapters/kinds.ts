/**
 * The servers that the shared suite runs against, each a real one on the loopback interface.
 *
 * @module
 */

import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { createServer as createSecureServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { createAdaptorServer } from "@hono/node-server"
import express from "express"

import { createListener, sealedListener } from "../../src/adapters/node.ts"
import type { Endpoint } from "../../src/server.ts"
import { hasOpenssl, openssl } from "../support/openssl.ts"
import type { Address } from "../support/over-http.ts"
import { expressApp, fastifyApp, honoApp, nodeApp, type Watch, webApp } from "./app.ts"

/** A server that runs. */
export interface Running extends Address {
  close(): Promise<void>
}

/** A kind of server. */
export interface Kind {
  readonly name: string
  start(endpoint: Endpoint, watch: Watch): Promise<Running>
}

/** Starts a server on a free port. */
export async function listen(server: Server, ca?: string): Promise<Running> {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    url: `${ca === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    ...(ca !== undefined && { ca }),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A certificate for the loopback address, good for a day, and its key. */
export function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "sealwire-certificate-"))
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")]
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    openssl(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject], "")
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const quiet = { onError: (): void => undefined }

const secure: Kind = {
  name: "node:https with a Web handler",
  start(endpoint, watch) {
    const { key, cert } = selfSigned()
    return listen(createSecureServer({ key, cert }, createListener(endpoint, webApp(watch), quiet)), cert)
  },
}

const overExpress = (name: string, ...before: express.RequestHandler[]): Kind => ({
  name,
  start: (endpoint, watch) => listen(createServer(expressApp(endpoint, watch, before))),
})

/** All of them. */
export const kinds: readonly Kind[] = [
  {
    name: "node:http with a Web handler",
    start: (endpoint, watch) => listen(createServer(createListener(endpoint, webApp(watch), quiet))),
  },
  {
    name: "node:http around a listener",
    start: (endpoint, watch) => listen(createServer(sealedListener(endpoint, nodeApp(watch), quiet))),
  },
  ...(hasOpenssl ? [secure] : []),
  overExpress("Express"),
  overExpress("Express behind express.json", express.json()),
  overExpress("Express behind express.text", express.text({ type: "application/jose", limit: "2mb" })),
  overExpress("Express behind express.raw", express.raw({ type: "*/*", limit: "2mb" })),
  {
    name: "Fastify",
    async start(endpoint, watch) {
      const app = fastifyApp(endpoint, watch)
      const url = await app.listen({ port: 0, host: "127.0.0.1" })
      return {
        url,
        async close() {
          app.server.closeAllConnections()
          await app.close()
        },
      }
    },
  },
  {
    name: "Hono on @hono/node-server",
    start: (endpoint, watch) =>
      listen(createAdaptorServer({ fetch: honoApp(endpoint, watch).fetch }) as Server),
  },
]
