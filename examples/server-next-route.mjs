// Sealed HTTP in a route handler of Next.js: what app/transfers/route.js exports. Run: node examples/server-next-route.mjs
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
async function handler(inner) {
  const { cents } = await inner.json()
  return Response.json({ booked: cents }, { status: 201 })
}

/**
 * Whose request it is: limits count by that. The header must be one that your platform sets, and does not take from outside.
 *
 * @param {Request} request
 */
const peerOf = (request) => ({ address: request.headers.get("x-real-ip") ?? undefined })

/**
 * The route. Requests to `/.well-known/sealwire` get the same `endpoint` in a route of their own.
 *
 * @param {Request} request
 */
export const POST = (request) => endpoint.handle(request, handler, peerOf(request))

/**
 * app/.well-known/sealwire/route.js
 *
 * @param {Request} request
 */
export const GET = (request) => endpoint.handle(request, handler, peerOf(request))

// From here on: what stands in for Next.js, and a client of it.
/** @type {(url: string, init: RequestInit) => Promise<Response>} */
async function dispatch(url, init) {
  const request = new Request(url, init)
  request.headers.set("x-real-ip", "203.0.113.7")
  return (request.method === "POST" ? POST : GET)(request)
}

const api = createClient({ baseUrl: endpoint.origin, pins: [identity.kid], fetch: dispatch })
const response = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
console.log("status:", response.status) // 201
console.log("booked:", (await response.json()).booked) // 12000
