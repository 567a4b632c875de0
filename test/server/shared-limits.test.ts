import { RateLimiterRedis } from "rate-limiter-flexible"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import type { Endpoint, EndpointEvent } from "../../src/server.ts"
import { notRun } from "../support/not-run.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { endpointWith, ORIGIN } from "../support/sealed-http.ts"
import { clientLibrary } from "../support/store-clients.ts"

const MOST = 40
const missing = [!hasRedisServer() && "redis-server", clientLibrary("ioredis") === undefined && "ioredis"]
const [firstMissing] = missing.filter((each) => each !== false)
if (firstMissing !== undefined) notRun("limits over several servers on one Redis", firstMissing)

describe.skipIf(firstMissing !== undefined)("four servers on one Redis", () => {
  let redis: RedisServer
  const connected: Connected[] = []
  const events: EndpointEvent[] = []
  let endpoints: Endpoint[] = []

  beforeAll(async () => {
    redis = await startRedisServer()
    endpoints = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const connection = await REDIS_CLIENTS["ioredis"]?.(redis.port)
        if (!connection) throw new Error("ioredis is not there")
        connected.push(connection)
        return endpointWith({
          routes: { "/low": "low" },
          limits: {
            bySource: { low: MOST },
            createLimiter: (options) => new RateLimiterRedis({ storeClient: connection.client, ...options }),
          },
          onEvent: (event) => events.push(event),
        })
      }),
    )
  })
  afterAll(async () => {
    for (const each of connected) await each.close()
    await redis.close()
  })

  async function passed(address: string, times: number): Promise<number> {
    const answers = await Promise.all(
      Array.from({ length: times }, (_, at) =>
        endpoints[at % 4]?.handle(new Request(`${ORIGIN}/low`), () => new Response(), {
          address,
          encrypted: true,
        }),
      ),
    )
    return answers.filter((answer) => answer?.status === 200).length
  }

  it("let exactly as many through as one would", async () => {
    expect(await passed("203.0.113.7", 4 * MOST)).toBe(MOST)
    expect(await passed("203.0.113.8", MOST)).toBe(MOST)
    expect(events.filter(({ type }) => type === "limiter-failed")).toEqual([])
  })

  it("count each by itself while it does not answer", async () => {
    redis.pause()
    try {
      expect(await passed("203.0.113.7", 8 * MOST)).toBe(4 * MOST)
    } finally {
      redis.resume()
    }
    expect(events.some(({ type }) => type === "limiter-failed")).toBe(true)
  })
})
