/**
 * A server of a fleet, as a process of its own: an endpoint over a stored ring, and the handler that answers. Its time runs faster
 * than the world's. `node … <task as JSON>`.
 *
 * @module
 */

import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

import { createReplayGuard } from "../../src/index.ts"
import { openKeyRing } from "../../src/key-ring.ts"
import { importSigningKey, type Jwk } from "../../src/keys.ts"
import { createEndpoint } from "../../src/server.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"
import { postgresKeyRingStore } from "../../src/stores/postgres.ts"
import { createListener } from "../../src/adapters/node.ts"
import type { KeyRingStore, KeyRingTerms } from "../../src/key-ring.ts"
import { POSTGRES_CLIENTS } from "./postgres-clients.ts"

/** What a server is told. */
export interface RingServerTask {
  readonly store: { readonly folder: string } | { readonly postgresPort: number }
  readonly wrappingKey: string
  readonly terms: Partial<KeyRingTerms>
  readonly identity: Jwk
  readonly startMs: number
  readonly speed: number
}

async function storeOf({ store }: RingServerTask): Promise<KeyRingStore> {
  if ("folder" in store) return folderKeyRingStore(store.folder)
  const connected = await POSTGRES_CLIENTS["pg"]?.(store.postgresPort)
  if (!connected) throw new Error("no pg")
  return postgresKeyRingStore(connected.client)
}

const task = JSON.parse(process.argv[2] ?? "") as RingServerTask
const clock = (): number => task.startMs + (Date.now() - task.startMs) * task.speed
const report = (event: unknown): void => void process.send?.(event)

const ring = await openKeyRing({
  store: await storeOf(task),
  protection: { wrappingKey: Buffer.from(task.wrappingKey, "hex") },
  create: true,
  terms: task.terms,
  clock,
  onEvent: (event) => {
    report(event.type === "failed" ? { type: "failed", error: String(event.error) } : event)
  },
})
/** As often as its terms demand, in its own time. */
const following = setInterval(
  () => void ring.refresh().catch(() => undefined),
  (ring.terms.refreshSeconds * 500) / task.speed,
)
/** Every message counts: what a store of ids does is tested elsewhere. */
const { maxAgeSeconds, maxSkewSeconds, clockErrorSeconds } = ring.terms
const ages = { maxAgeSeconds, maxSkewSeconds, clockErrorSeconds }
const replay = createReplayGuard({ store: { claim: async () => true }, clock, ...ages })
const endpoint = createEndpoint({
  origin: "https://api.example.com",
  keys: ring,
  directory: { identity: await importSigningKey(task.identity), seq: () => ring.seq, lifetimeSeconds: 60 },
  replay,
  routes: { "/**": "high" },
  limits: false,
  onEvent: (event) => {
    if (event.type === "refused") report({ type: "refused", code: event.code })
  },
})
const server = createServer(createListener(endpoint, async (request) => new Response(await request.text())))
server.listen(0, "127.0.0.1", () => {
  report({ type: "listening", port: (server.address() as AddressInfo).port })
})
process.on("message", () => {
  void ring.refresh().then(() => {
    report({ type: "keys", keys: ring.list() })
  })
})
process.on("disconnect", () => {
  clearInterval(following)
  process.exit(0)
})
