// Sealed HTTP in a Worker: the module exports what the platform calls. Run: node examples/server-workers.mjs
import { createReplayGuard, memoryStore } from "sealwire"
import { createClient } from "sealwire/client"
import {
  exportPem,
  generateKeyPair,
  generateSigningKeyPair,
  importPrivateKey,
  importSigningKey,
} from "sealwire/keys"
import { createEndpoint } from "sealwire/server"

const origin = "https://api.example.com"

/** @param {{ SEALWIRE_KEY: string, SEALWIRE_IDENTITY: string }} env The Worker's secrets: PEM */
async function create({ SEALWIRE_KEY, SEALWIRE_IDENTITY }) {
  return createEndpoint({
    origin,
    keys: await importPrivateKey(SEALWIRE_KEY),
    directory: { identity: await importSigningKey(SEALWIRE_IDENTITY) },
    // In production one that all Workers share: durable-object-store.mjs
    replay: createReplayGuard({ store: memoryStore({ dangerouslyForgetOnRestart: true }) }),
    routes: { "/transfers": "high", "/status": "low" },
  })
}

/** @type {import("sealwire/server").Handler} */
async function handler(request) {
  if (new URL(request.url).pathname === "/status") return new Response("up")
  const { cents } = await request.json()
  return Response.json({ booked: cents }, { status: 201 })
}

/** @type {ReturnType<typeof create> | undefined} */
let endpoint

const worker = {
  /**
   * @param {Request} request
   * @param {Parameters<typeof create>[0]} env
   */
  async fetch(request, env) {
    // with the first request: before it, a Worker has neither its secrets nor randomness
    endpoint ??= create(env)
    // whose request it is, which the platform writes: limits count by that
    const address = request.headers.get("cf-connecting-ip") ?? undefined
    return (await endpoint).handle(request, handler, { address })
  },
}
export default worker

// From here on, but not on the platform: what stands in for it, and a client of it.
if (globalThis.navigator?.userAgent !== "Cloudflare-Workers") {
  const { privateKey } = await generateKeyPair({ extractable: true })
  const { signingKey: identity } = await generateSigningKeyPair({ extractable: true })
  const env = { SEALWIRE_KEY: await exportPem(privateKey), SEALWIRE_IDENTITY: await exportPem(identity) }

  /** @type {(url: string, init: RequestInit) => Promise<Response>} */
  const dispatch = async (url, init) => {
    const request = new Request(url, init)
    request.headers.set("cf-connecting-ip", "203.0.113.7")
    return worker.fetch(request, env)
  }

  const api = createClient({ baseUrl: origin, pins: [identity.kid], fetch: dispatch })
  const response = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
  console.log("status:", response.status) // 201
  console.log("booked:", (await response.json()).booked) // 12000

  const open = await dispatch(`${origin}/status`, {})
  console.log("an open route:", await open.text()) // "up"
}
