// @ts-nocheck: Deno's own types are not installed here
// Sealed HTTP on Deno.serve. Run: deno run --allow-all examples/server-deno.mjs
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

const server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: () => undefined },
  (request, { remoteAddr }) =>
    // whose request it is: limits count by that
    endpoint.handle(request, handler, { address: remoteAddr.hostname }),
)
const url = `http://127.0.0.1:${server.addr.port}`

const api = createClient({ baseUrl: url, origin: endpoint.origin, pins: [identity.kid] })
const response = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
console.log("status:", response.status) // 201
console.log("booked:", (await response.json()).booked) // 12000

const open = await fetch(`${url}/transfers`, { method: "POST", body: "{}" })
console.log("unsealed:", open.status) // 415
await open.body.cancel()
await server.shutdown()
