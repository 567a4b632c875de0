/** Limits over four real servers on one Redis: exact in each window, and never gone when Redis is. */

import { setTimeout as wait } from "node:timers/promises"

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import { createApiKeys, memoryApiKeyStore } from "../../src/api-keys.ts"
import { createClient } from "../../src/client.ts"
import { exportPem, generateKeyPair, type PublicKey } from "../../src/keys.ts"
import { startLimitedFleet, type LimitedFleet } from "../support/limited-fleet.ts"
import { notRun, RUN_ALL } from "../support/not-run.ts"
import { hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { ORIGIN } from "../support/sealed-http.ts"
import { clientLibrary } from "../support/store-clients.ts"

const SERVERS = 4
const BY_SOURCE = 40
const BY_PRINCIPAL = 24
const missing = [!hasRedisServer() && "redis-server", clientLibrary("ioredis") === undefined && "ioredis"]
const [firstMissing] = missing.filter((each) => each !== false)
if (firstMissing !== undefined) notRun("limits over four processes on one Redis", firstMissing)

describe.skipIf(firstMissing !== undefined)(
  "four server processes on one Redis",
  { timeout: 240_000 },
  () => {
    let redis: RedisServer
    let fleet: LimitedFleet
    let publicKey: PublicKey
    let keys: Readonly<Record<"acme" | "acmes second" | "zenith", string>>

    beforeAll(async () => {
      redis = await startRedisServer()
      const pair = await generateKeyPair({ modulusBits: 2048, extractable: true })
      publicKey = pair.publicKey
      const store = memoryApiKeyStore()
      const apiKeys = createApiKeys({ store })
      const keyOf = async (principal: string): Promise<string> => (await apiKeys.create({ principal })).key
      keys = { acme: await keyOf("acme"), "acmes second": await keyOf("acme"), zenith: await keyOf("zenith") }
      const task = {
        origin: ORIGIN,
        redisPort: redis.port,
        key: await exportPem(pair.privateKey),
        apiKeys: await store.list(),
        bySource: BY_SOURCE,
        byPrincipal: BY_PRINCIPAL,
      }
      fleet = await startLimitedFleet(task, SERVERS)
    }, 60_000)
    afterAll(async () => {
      await fleet.close()
      await redis.close()
    })

    type Ask = () => Promise<Response>

    /** How often each status came, of requests that are sent so many at a time. */
    async function tally(asks: readonly Ask[], atOnce = 16): Promise<Record<number, number>> {
      const counts: Record<number, number> = {}
      const left = [...asks]
      async function work(): Promise<void> {
        for (let ask = left.shift(); ask; ask = left.shift()) {
          const { status } = await ask()
          counts[status] = (counts[status] ?? 0) + 1
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
      return counts
    }

    const ask = (source: string, times: number): Ask[] =>
      Array.from({ length: times }, () => () => fleet.send(source, `${ORIGIN}/open`))

    /** Sealed, each from another source. */
    function askSealed(apiKey: string, times: number): Ask[] {
      let host = 0
      const client = createClient({
        baseUrl: ORIGIN,
        keys: publicKey,
        retry: { attempts: 1 },
        fetch: (url, init) => fleet.send(`198.51.100.${++host}`, String(url), init),
      })
      const headers = { authorization: `Bearer ${apiKey}` }
      return Array.from({ length: times }, () => () => client.fetch("/sealed", { headers }))
    }

    /** The counts that are held now, and for how long each of them still is. */
    const windows = (): number[] =>
      redis
        .command("KEYS", "sealwire:*")
        .split("\n")
        .map((key) => Number(redis.command("PTTL", key)))

    let waitsOnce = RUN_ALL

    /** Lets the windows end: as Redis does it at their end, and where all is tested, the first of them by time. */
    async function endWindows(): Promise<void> {
      if (waitsOnce) {
        waitsOnce = false
        await wait(Math.max(0, ...windows()) + 50)
      } else
        for (const key of redis.command("KEYS", "sealwire:*").split("\n")) redis.command("PEXPIRE", key, "1")
      await vi.waitFor(() => {
        expect(redis.command("DBSIZE")).toBe("0")
      })
    }

    /** Runs in a window of its own, and again where a process counted by itself: on a busy machine Redis may seem dead. */
    async function inOneWindow(run: () => Promise<void>, attempts = 5): Promise<void> {
      const before = (await fleet.state()).failures
      try {
        await run()
        // a window lasts a minute, whatever came in it
        expect(windows().every((leftMs) => leftMs > 0 && leftMs <= 60_000)).toBe(true)
      } catch (error) {
        if ((await fleet.state()).failures === before || attempts === 1) throw error
        await endWindows()
        await inOneWindow(run, attempts - 1)
        return
      }
      await endWindows()
    }

    test.each([4 * BY_SOURCE, BY_SOURCE + 1])(
      "let a source that asks %i times through exactly as often as its limit says, window after window",
      async (times) => {
        await inOneWindow(async () => {
          const counts = await tally([...ask("203.0.113.7", times), ...ask("203.0.113.8", BY_SOURCE)])
          expect(counts).toEqual({ 200: 2 * BY_SOURCE, 429: times - BY_SOURCE })
        })
      },
    )

    test.each([2 * BY_PRINCIPAL, BY_PRINCIPAL])(
      "let a principal that asks twice %i times through exactly as often, by all of his keys and from everywhere",
      async (times) => {
        await inOneWindow(async () => {
          const wrong = askSealed(`${keys.acme.slice(0, -1)}!`, BY_PRINCIPAL)
          const right = [...askSealed(keys.acme, times), ...askSealed(keys["acmes second"], times)]
          const counts = await tally([...wrong, ...right, ...askSealed(keys.zenith, BY_PRINCIPAL)])
          expect(counts).toEqual({
            200: 2 * BY_PRINCIPAL,
            401: BY_PRINCIPAL,
            429: 2 * times - BY_PRINCIPAL,
          })
        })
      },
    )

    test("count each by itself from the moment that Redis is killed, and together again after", async () => {
      const asked = tally(ask("203.0.113.9", 12 * BY_SOURCE), 12 * BY_SOURCE)
      await redis.kill()
      const { 200: passed = 0, 429: refused = 0 } = await asked
      expect(passed + refused).toBe(12 * BY_SOURCE)
      // what was counted together, and then what each counts
      expect(passed).toBeLessThanOrEqual((1 + SERVERS) * BY_SOURCE)

      const alone = await tally(ask("203.0.113.10", 8 * BY_SOURCE), 8 * BY_SOURCE)
      expect(alone).toEqual({ 200: SERVERS * BY_SOURCE, 429: 4 * BY_SOURCE })
      const principal = await tally(askSealed(keys.zenith, 8 * BY_PRINCIPAL), 8 * BY_PRINCIPAL)
      expect(principal).toEqual({ 200: SERVERS * BY_PRINCIPAL, 429: 4 * BY_PRINCIPAL })
      expect((await fleet.state()).failures).toBeGreaterThan(0)

      await redis.start()
      await vi.waitFor(async () => expect((await fleet.state()).connected).toBe(SERVERS), 30_000)
      await inOneWindow(async () => {
        const together = await tally(ask("203.0.113.11", 4 * BY_SOURCE))
        expect(together).toEqual({ 200: BY_SOURCE, 429: 3 * BY_SOURCE })
      })
    })
  },
)
