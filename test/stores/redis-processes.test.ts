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
const ENVELOPES = RUN_ALL ? 20 : 4
const ONCE_EACH = new Array<number>(ROUNDS_AT_ONCE).fill(1)

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
      expect(await processes?.raceIds(ROUNDS_AT_ONCE, COPIES)).toEqual(ONCE_EACH)
    }
  })

  test(`opens one of 100 copies of each of ${ENVELOPES} envelopes`, { timeout: 120_000 }, async () => {
    const opened = await processes?.raceEnvelopes(ENVELOPES, COPIES)
    expect(opened).toEqual(ONCE_EACH.slice(0, ENVELOPES))
  })
})
