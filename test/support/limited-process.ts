/**
 * A server of a fleet, as a process of its own: an endpoint on `node:http` whose limits are counted in a Redis that others share.
 * `node … <task as JSON>`. Ends with its parent.
 *
 * @module
 */

import { createRequire } from "node:module"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"

import { createListener } from "../../src/adapters/node.ts"
import { type ApiKeyRecord, createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { createReplayGuard, importPrivateKey } from "../../src/index.ts"
import { type CreateLimiterOptions, createEndpoint, type Limiter } from "../../src/server.ts"
import { REDIS_CLIENTS } from "./redis-clients.ts"

/** What a server is told. */
export interface LimitedTask {
  readonly origin: string
  readonly redisPort: number
  /** PEM. */
  readonly key: string
  readonly apiKeys: readonly ApiKeyRecord[]
  readonly bySource: number
  readonly byPrincipal: number
}

/** What it tells. */
export type LimitedAnswer =
  { readonly port: number } | { readonly isConnected: boolean; readonly failures: number }

// by the directory that tests are started in: the bundle of this file lies elsewhere
const installed = createRequire(resolve("package.json"))
const { RateLimiterRedis } = installed("rate-limiter-flexible") as {
  RateLimiterRedis: new (options: CreateLimiterOptions & { storeClient: unknown }) => Limiter
}

const task = JSON.parse(process.argv[2] ?? "") as LimitedTask
const connected = await REDIS_CLIENTS["ioredis"]?.(task.redisPort)
if (!connected) throw new Error("no ioredis")
const redis = connected.client as unknown as { readonly status: string }
let failures = 0

const endpoint = createEndpoint({
  origin: task.origin,
  keys: await importPrivateKey(task.key),
  // what a store of ids does is tested elsewhere, and must not fail with Redis here
  replay: createReplayGuard({ store: { claim: async () => true } }),
  routes: { "/open": "low", "/sealed": "medium" },
  authenticate: { apiKeys: createApiKeys({ store: memoryApiKeyStore({ records: task.apiKeys }) }) },
  // stands for the proxy in front: it says who asks
  trustedProxies: ["127.0.0.1"],
  limits: {
    bySource: { low: task.bySource, medium: 1_000_000 },
    byPrincipal: { medium: task.byPrincipal },
    createLimiter: (options) => new RateLimiterRedis({ storeClient: redis, ...options }),
  },
  onEvent: (event) => {
    if (event.type === "limiter-failed") failures++
  },
})

const tell = (answer: LimitedAnswer): void => void process.send?.(answer)
const server = createServer(createListener(endpoint, () => new Response("passed")))
server.listen(0, "127.0.0.1", () => {
  tell({ port: (server.address() as AddressInfo).port })
})
process.on("message", () => {
  tell({ isConnected: redis.status === "ready", failures })
})
process.on("disconnect", () => process.exit(0))
