/**
 * What the servers of all runtimes serve, with the package as it was built: an empty page, and a sealed echo.
 *
 * @module
 */

import process from "node:process"

import { createReplayGuard, memoryStore } from "sealwire"
import { generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint, type Endpoint, type Handler } from "sealwire/server"

/** An endpoint and what stands behind it. */
export interface Service {
  readonly host: string
  readonly port: number
  readonly endpoint: Endpoint
  readonly handler: Handler
  /** To be called once it listens: tells the process that started this one, and whom to pin. */
  ready(): void
}

const host = "127.0.0.1"

/** Makes the service on the port that the command line names. */
export async function createService(): Promise<Service> {
  const port = Number(process.argv[2])
  const store = memoryStore()
  const { privateKey } = await generateKeyPair()
  const { signingKey: identity } = await generateSigningKeyPair()
  const endpoint = createEndpoint({
    origin: `http://${host}:${port}`,
    keys: privateKey,
    replay: createReplayGuard({ store }),
    routes: { "GET /": "low", "POST /echo": "high" },
    directory: { identity },
    limits: false,
  })
  return {
    host,
    port,
    endpoint,
    handler: async (request) =>
      request.method === "GET"
        ? new Response("<!doctype html><title>empty</title>", { headers: { "content-type": "text/html" } })
        : new Response(`you said ${await request.text()}`),
    ready: () => console.log(identity.kid),
  }
}
