// Sealed HTTP in a Worker: the module exports what the platform calls. Run: node examples/server-workers.mjs
import { createReplayGuard, memoryStore } from "sealwire"
import { createClient } from "sealwire/client"
import { createKeyRing, generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"

const { privateKey } = await generateKeyPair()
const { signingKey: identity } = await generateSigningKeyPair()
const endpoint = createEndpoint({
  origin: "https://api.example.com",
  keys: createKeyRing([privateKey]),
  directory: { identity },
  replay: createReplayGuard({ store: memoryStore() }),
  routes: { "/transfers": "high", "/status": "low" },
})

/** @type {import("sealwire/server").Handler} */
async function handler(request) {
  if (new URL(request.url).pathname === "/status") return new Response("up")
  const { cents } = await request.json()
  return Response.json({ booked: cents }, { status: 201 })
}

// In production the keys come from secrets, and the replay store is one that all Workers share: durable-object-store.mjs
const worker = {
  /** @param {Request} request */
  fetch(request) {
    // whose request it is, which the platform writes: limits count by that
    const address = request.headers.get("cf-connecting-ip") ?? undefined
    return endpoint.handle(request, handler, { address })
  },
}
export default worker

// From here on: what stands in for the platform, and a client of it.
/** @type {(url: string, init: RequestInit) => Promise<Response>} */
async function dispatch(url, init) {
  const request = new Request(url, init)
  request.headers.set("cf-connecting-ip", "203.0.113.7")
  return worker.fetch(request)
}

const api = createClient({ baseUrl: endpoint.origin, pins: [identity.kid], fetch: dispatch })
const response = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
console.log("status:", response.status) // 201
console.log("booked:", (await response.json()).booked) // 12000

const open = await dispatch(`${endpoint.origin}/status`, {})
console.log("an open route:", await open.text()) // "up"
