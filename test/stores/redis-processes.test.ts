import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { redisStore } from "../../src/stores/redis.ts"
import { type ClaimProcesses, startClaimProcesses } from "../support/claim-processes.ts"
import { notRun, RUN_ALL } from "../support/not-run.ts"
import { backdate, hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { REDIS_CLIENTS } from "../support/redis-clients.ts"
import { clientLibrary } from "../support/store-clients.ts"

const PROCESSES = 4
const COPIES = 100 / PROCESSES
const ROUNDS_AT_ONCE = 20
const ROUNDS = RUN_ALL ? 1000 : 60

const missing = hasRedisServer() ? clientLibrary("redis") === undefined && "redis" : "redis-server"
if (missing) notRun("the Redis store in 4 processes", missing)

describe.skipIf(missing)("Redis store in 4 processes", () => {
  let server: RedisServer
  let processes: ClaimProcesses | undefined
  beforeAll(async () => {
    server = await startRedisServer()
    const first = await REDIS_CLIENTS["redis"]?.(server.port)
    if (!first) return
    await redisStore(first.client, { prefix: "race" }).ready()
    await first.close()
    backdate(server)
    processes = await startClaimProcesses("./redis-claims.ts", PROCESSES, ["redis", String(server.port)])
  }, 30_000)
  afterAll(async () => {
    await processes?.close()
    await server.close()
  })

  test(`accepts one of 100 copies in each of ${ROUNDS} rounds`, { timeout: 120_000 }, async () => {
    for (let round = 0; round < ROUNDS; round += ROUNDS_AT_ONCE) {
      const ids = Array.from({ length: ROUNDS_AT_ONCE }, () => randomBytes(32).toString("base64url"))
      expect(await processes?.race(ids, COPIES)).toEqual(ids.map(() => 1))
    }
  })
})
