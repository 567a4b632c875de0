// tRPC over a sealed fetch. Run: npm install --prefix examples/clients && node examples/clients/trpc.mjs
import { createTRPCClient, httpBatchStreamLink, httpLink, splitLink } from "@trpc/client"
import { initTRPC } from "@trpc/server"
import { fetchRequestHandler } from "@trpc/server/adapters/fetch"
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

const { procedure, router: createRouter } = initTRPC.create()
const router = createRouter({
  account: procedure.query(() => ({ account: "checking", balance: 120 })),
  transfer: procedure
    .input((value) => /** @type {{ cents: number }} */ (value))
    .mutation(({ input }) => ({ received: input.cents })),
})

/** @param {Request} request */
const answer = (request) => fetchRequestHandler({ endpoint: "/trpc", req: request, router })
// The client. It has the identity's thumbprint, and no network in this example: leave `fetch` out to use the platform's.
const client = createClient({
  baseUrl: origin,
  pins: [identity.kid],
  fetch: (url, init) => endpoint.handle(new Request(url, init), answer),
})

const url = `${origin}/trpc`
/** @type {import("@trpc/client").HTTPLinkOptions<any>["fetch"]} */
const fetch = (input, init) => client.fetch(input, /** @type {RequestInit} */ (init))
/** @type {ReturnType<typeof createTRPCClient<typeof router>>} */
const api = createTRPCClient({
  links: [
    // queries together, each answer as soon as it is there: a sealed stream
    splitLink({
      condition: ({ type }) => type === "query",
      true: httpBatchStreamLink({ url, fetch }),
      false: httpLink({ url, fetch }),
    }),
  ],
})

const accounts = await Promise.all([api.account.query(), api.account.query()])
console.log("account:", accounts[1]) // {"account":"checking","balance":120}

const transfer = await api.transfer.mutate({ cents: 12000 })
console.log("transfer:", transfer) // {"received":12000}
