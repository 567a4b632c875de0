import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { redisStore } from "../../src/stores/redis.ts"
import { deliver, scenarioGuard, sendMessage, TIMES } from "../support/fault-scenario.ts"
import { notRun } from "../support/not-run.ts"
import { REDIS_CLUSTER_CLIENTS } from "../support/redis-clients.ts"
import { startRedisCluster } from "../support/redis-cluster.ts"
import { backdate, hasRedisServer, type RedisServer } from "../support/redis-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const serverMissing = !hasRedisServer()

describe("Redis store on a Cluster", { timeout: 30_000 }, () => {
  let nodes: readonly RedisServer[] = []
  beforeAll(async () => {
    if (!serverMissing) nodes = await startRedisCluster()
  }, 60_000)
  afterAll(async () => {
    for (const node of nodes) await node.close()
  })

  for (const [name, connect] of Object.entries(REDIS_CLUSTER_CLIENTS)) {
    const missing = serverMissing ? "redis-server" : clientLibrary(name) === undefined && name
    if (missing) {
      notRun(`the Redis store on a Cluster with ${name}`, missing)
      continue
    }
    const prefix = name.replace(/\W/g, "")

    test(`claims an id once on every node with ${name}`, async () => {
      const { client, close } = await connect(nodes[0]?.port ?? 0)
      const store = redisStore(client, { prefix })
      const ids = Array.from({ length: 1000 }, () => randomBytes(32).toString("base64url"))
      const expiresAtMs = Date.now() + 60_000
      for (const expected of [true, false]) {
        const answers = await Promise.all(ids.map((id) => store.claim(id, expiresAtMs)))
        expect(answers.filter((answer) => answer === expected)).toHaveLength(ids.length)
      }
      for (const node of nodes) expect(Number(node.command("DBSIZE"))).toBeGreaterThan(200)
      await close()
    })

    test(`quarantines when one of the nodes was flushed, with ${name}`, async () => {
      const { client, close } = await connect(nodes[0]?.port ?? 0)
      const options = { prefix: `${prefix}-flush`, clockErrorSeconds: TIMES.clockErrorSeconds }
      await redisStore(client, options).ready()
      for (const node of nodes) backdate(node)
      const guard = scenarioGuard(redisStore(client, options))
      const messages = Array.from({ length: 50 }, () => sendMessage())
      const deliverAll = (): Promise<string[]> => Promise.all(messages.map((each) => deliver(guard, each)))
      expect(new Set(await deliverAll())).toEqual(new Set(["accepted"]))
      nodes[1]?.command("FLUSHALL")
      // what lies on the other nodes is still known for a copy, until the loss is found on the way
      const copies = await deliverAll()
      expect(copies).not.toContain("accepted")
      expect(copies).toContain("`ERR_QUARANTINED`")
      expect(await deliver(guard, sendMessage())).toBe("`ERR_QUARANTINED`")
      await close()
    })
  }
})
