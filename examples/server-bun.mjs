// @ts-nocheck: Bun's own types are not installed here
// Sealed HTTP on Bun.serve. Run: bun examples/server-bun.mjs
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

async function handler(request) {
  if (new URL(request.url).pathname === "/status") return new Response("up")
  const { cents } = await request.json()
  return Response.json({ booked: cents }, { status: 201 })
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  // whose request it is: limits count by that
  fetch: (request, bun) => endpoint.handle(request, handler, { address: bun.requestIP(request)?.address }),
})

const api = createClient({ baseUrl: server.url, origin: endpoint.origin, pins: [identity.kid] })
const response = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
console.log("status:", response.status) // 201
console.log("booked:", (await response.json()).booked) // 12000

const open = await fetch(new URL("/transfers", server.url), { method: "POST", body: "{}" })
console.log("unsealed:", open.status) // 415
server.stop(true)
