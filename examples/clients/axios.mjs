// axios' fetch adapter over a sealed fetch. Run: npm install --prefix examples/clients && node examples/clients/axios.mjs
import axios from "axios"
import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
import { createClient } from "sealwire/client"
import { generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"

// The server. Its store comes before its key: what was sent to older keys before a store started is refused.
const origin = "https://api.example.com"
const replay = createReplayGuard({ store: memoryStore() })
const { privateKey } = await generateKeyPair()
const { signingKey: identity } = await generateSigningKeyPair()
const routes = /** @type {const} */ ({ "/**": "medium" })
const endpoint = createEndpoint({
  origin,
  keys: privateKey,
  directory: { identity },
  replay,
  routes,
  limits: false, // nobody is asked over a network here
})

/** @param {Request} request */
async function answer(request) {
  if (request.method === "GET") return Response.json({ account: "checking", balance: 120 })
  const { cents } = /** @type {{ cents: number }} */ (await request.json())
  return Response.json({ received: cents }, { status: 201 })
}
// The client. It has the identity's thumbprint, and no network in this example: leave `fetch` out to use the platform's.
const client = createClient({
  baseUrl: origin,
  pins: [identity.kid],
  fetch: (url, init) => endpoint.handle(new Request(url, init), answer),
})

const api = axios.create({
  baseURL: origin,
  adapter: "fetch",
  env: { fetch: /** @type {typeof fetch} */ (client.fetch) },
})

const account = await api.get("/account")
console.log("account:", account.data) // {"account":"checking","balance":120}

const transfer = await api.post("/transfers", { cents: 12000 })
console.log("status:", transfer.status) // 201
console.log("transfer:", transfer.data) // {"received":12000}
