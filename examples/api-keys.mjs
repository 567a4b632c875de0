// API keys inside sealed requests: made, used, replaced, revoked. Run: node examples/api-keys.mjs
import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
import { createApiKeys, memoryApiKeyStore } from "sealwire/api-keys"
import { createClient } from "sealwire/client"
import { generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"

// The server. In production the hashes lie in SQLite or Postgres, and `sealwire api-keys` makes the keys.
const apiKeys = createApiKeys({ store: memoryApiKeyStore(), prefix: "acme" })
const replay = createReplayGuard({ store: memoryStore() })
const { privateKey } = await generateKeyPair()
const { signingKey: identity } = await generateSigningKeyPair()
const endpoint = createEndpoint({
  origin: "https://api.example.com",
  keys: privateKey,
  directory: { identity },
  replay,
  authenticate: { apiKeys },
  limits: false, // nobody is asked over a network here
  routes: {
    "GET /account": "high",
    "POST /transfers": { level: "high", scopes: ["transfers:write"] },
  },
})

/** @type {import("sealwire/server").Handler} */
const handler = (_, { principal }) => Response.json({ by: principal?.id, kind: principal?.kind })

const reader = await apiKeys.create({ principal: "globex" })
const writer = await apiKeys.create({ principal: "globex", scopes: ["transfers:write"] })

// A client for each key. It travels inside the message: no proxy and no log on the way sees it.
/** @param {string} key */
function clientWith(key) {
  const client = createClient({
    baseUrl: endpoint.origin,
    pins: [identity.kid],
    fetch: (url, init) => endpoint.handle(new Request(url, init), handler),
  })
  const headers = { authorization: `Bearer ${key}` }
  return {
    account: () => client.fetch("/account", { headers }),
    transfer: () => client.fetch("/transfers", { method: "POST", headers, body: "{}" }),
  }
}

const byWriter = await clientWith(writer.key).transfer()
console.log("by the writer:", await byWriter.json()) // {"by":"globex","kind":"api-key"}

// Whatever is wrong with a key, the answer is the same.
const byReader = await clientWith(reader.key).transfer()
console.log("by the reader:", byReader.status) // 401
const byNobody = await clientWith(reader.key.slice(0, 22)).transfer()
console.log("the same answer:", (await byNobody.text()) === (await byReader.text())) // true

// A new key; the old one goes on for an hour, or until it is revoked.
const renewed = await apiKeys.rotate(writer.id, { overlapSeconds: 3600 })
const before = [await clientWith(writer.key).account(), await clientWith(renewed.key).account()]
console.log(
  "both work:",
  before.map(({ status }) => status),
) // [200,200]
await apiKeys.revoke(writer.id)
const after = [await clientWith(writer.key).account(), await clientWith(renewed.key).account()]
console.log(
  "one works:",
  after.map(({ status }) => status),
) // [401,200]
