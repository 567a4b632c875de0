import { afterAll, beforeAll, describe, test } from "vitest"

import { replayStoreContract } from "../../src/contracts/replay-store.ts"
import { redisStore } from "../../src/stores/redis.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { notRun } from "../support/not-run.ts"
import { clientLibrary } from "../support/store-clients.ts"

/** One server for all clients, each with a prefix of its own. */
let server: RedisServer
const serverMissing = !hasRedisServer()

beforeAll(async () => {
  if (!serverMissing) server = await startRedisServer()
})
afterAll(() => (serverMissing ? undefined : server.close()))

for (const [name, connect] of Object.entries(REDIS_CLIENTS)) {
  const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
  if (missing) {
    notRun(`the Redis store with ${name}`, missing)
    continue
  }
  describe(`Redis store with ${name}`, () => {
    const open: Connected[] = []
    const prefix = name.replace(/\W/g, "")
    const create = async () => {
      const connected = await connect(server.port)
      open.push(connected)
      return redisStore(connected.client, { prefix })
    }
    afterAll(async () => {
      for (const connected of open) await connected.close()
    })
    const cases = replayStoreContract({ create, reopen: create })
    for (const { name, run } of cases) test(name, { timeout: 30_000 }, run)
  })
}
