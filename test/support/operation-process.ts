/**
 * A server of a fleet, as a process of its own: an endpoint on `node:http` whose operations are in a store that others share. Each time
 * its handler runs, it appends a line to a file. `node … <task as JSON>`. Ends with its parent.
 *
 * @module
 */

import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

import { createListener } from "../../src/adapters/node.ts"
import { createReplayGuard, importPrivateKey } from "../../src/index.ts"
import { createEndpoint, type IdempotencyStore } from "../../src/server.ts"
import { migrateIdempotency, postgresIdempotencyStore } from "../../src/stores/postgres.ts"
import { redisIdempotencyStore } from "../../src/stores/redis.ts"
import { sqliteIdempotencyStore, type SqliteKeyDatabase } from "../../src/stores/sqlite.ts"
import { POSTGRES_CLIENTS } from "./postgres-clients.ts"
import { REDIS_CLIENTS } from "./redis-clients.ts"
import { anySqlite } from "./sqlite-clients.ts"

/** Where operations are kept. */
export type Database =
  | { readonly kind: "redis" | "postgres"; readonly port: number }
  | { readonly kind: "sqlite"; readonly path: string }

/** What a server is told. */
export interface OperationTask {
  readonly origin: string
  /** PEM. */
  readonly key: string
  /** In hex. */
  readonly recordKey: string
  readonly database: Database
  /** The file that each effect is a line of. */
  readonly effects: string
  /** How long an operation takes. */
  readonly operationMs: number
  readonly waitMs: number
}

/** Undefined where the client is missing. */
async function openStore(database: Database): Promise<IdempotencyStore | undefined> {
  if (database.kind === "sqlite") {
    const file = anySqlite?.(database.path)
    return file && sqliteIdempotencyStore(file as unknown as SqliteKeyDatabase)
  }
  if (database.kind === "redis") {
    const connected = await REDIS_CLIENTS["redis"]?.(database.port)
    return connected && redisIdempotencyStore(connected.client, { prefix: "fleet" })
  }
  const connected = await POSTGRES_CLIENTS["pg"]?.(database.port)
  if (!connected) return undefined
  await migrateIdempotency(connected.client)
  return postgresIdempotencyStore(connected.client)
}

const task = JSON.parse(process.argv[2] ?? "") as OperationTask
const store = await openStore(task.database)
if (!store) throw new Error(`no client for ${task.database.kind}`)
const endpoint = createEndpoint({
  origin: task.origin,
  keys: await importPrivateKey(task.key),
  // what a store of ids does is tested elsewhere
  replay: createReplayGuard({ store: { claim: async () => true } }),
  routes: { "/transfers": "medium" },
  idempotency: {
    store,
    recordKeys: [new Uint8Array(Buffer.from(task.recordKey, "hex"))],
    waitMs: task.waitMs,
  },
  limits: false,
})
const server = createServer(
  createListener(endpoint, async () => {
    const receipt = randomUUID()
    appendFileSync(task.effects, `${receipt}\n`)
    process.send?.("acted")
    await new Promise((resolve) => setTimeout(resolve, task.operationMs))
    return Response.json({ receipt }, { status: 201 })
  }),
)
server.listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port)
})
process.on("disconnect", () => process.exit(0))
