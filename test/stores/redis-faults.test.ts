import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { type RedisStore, redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts"
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts"
import {
  deliver,
  type Fault,
  runFault,
  scenarioGuard,
  sendMessage,
  startWithWrongClock,
  STORE_TIMEOUT_MS,
  TIMES,
} from "../support/fault-scenario.ts"
import { recordFault } from "../support/fault-table.ts"
import { notRun } from "../support/not-run.ts"
import { type Connected, REDIS_CLIENTS } from "../support/redis-clients.ts"
import { backdate, hasRedisServer, type RedisServer, startRedisServer } from "../support/redis-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const CLIENT = "redis"
const missing = hasRedisServer() ? clientLibrary(CLIENT) === undefined && CLIENT : "redis-server"
if (missing) notRun("the Redis store in faults", missing)

const remove = (which: string): string =>
  `for _, key in ipairs(redis.call('KEYS', '*')) do if ${which} then redis.call('DEL', key) end end`
const REMOVE_MARKERS = remove("key:find('marker')")
const REMOVE_IDS = remove("not key:find('marker')")

describe.skipIf(missing)("Redis store in faults", { timeout: 60_000 }, () => {
  let server: RedisServer
  const closers: (() => Promise<void>)[] = []

  async function startServer(...settings: string[]): Promise<RedisServer> {
    const started = await startRedisServer(...settings)
    closers.push(() => started.close())
    return started
  }
  async function connect(port: number): Promise<Connected["client"]> {
    const connected = await REDIS_CLIENTS[CLIENT]?.(port)
    if (!connected) throw new Error(CLIENT)
    closers.push(() => connected.close())
    return connected.client
  }
  async function openStore(
    port: number = server.port,
    options: Partial<RedisStoreOptions> = {},
  ): Promise<RedisStore> {
    const { clockErrorSeconds } = TIMES
    return redisStore(await connect(port), { prefix: "faults", clockErrorSeconds, ...options })
  }
  async function proxied(): Promise<FaultProxy> {
    const proxy = await startFaultProxy(server.port)
    closers.push(() => proxy.close())
    return proxy
  }
  async function record(
    name: string,
    fault: Omit<Fault, "store"> & Partial<Pick<Fault, "store">>,
  ): Promise<void> {
    recordFault(name, "Redis", await runFault({ store: await openStore(), ...fault }))
  }

  beforeEach(async () => {
    server = await startServer()
    await (await openStore()).ready()
    backdate(server)
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  test("refuses while the server is dead, and quarantines when it is back without its ids", async () => {
    await record("server killed, started again", { begin: () => server.kill(), end: () => server.start() })
  })

  test("refuses while the server is paused", async () => {
    await record("server paused", {
      begin: () => {
        server.pause()
      },
      end: () => {
        server.resume()
      },
    })
  })

  test("quarantines after all keys were removed", async () => {
    await record("all keys removed", { begin: () => server.command("FLUSHALL") })
  })

  test("quarantines after a marker was removed", async () => {
    await record("markers removed", { begin: () => server.command("EVAL", REMOVE_MARKERS, "0") })
  })

  test("goes on after the scripts were removed", async () => {
    await record("scripts removed", { begin: () => server.command("SCRIPT", "FLUSH") })
  })

  test("refuses the message whose connection was cut before the answer", async () => {
    const proxy = await proxied()
    await record("connection cut before the answer", {
      store: await openStore(proxy.port),
      begin: () => {
        proxy.cutBeforeReply()
      },
      end: () => {
        proxy.pass()
      },
    })
  })

  test("refuses the message whose connection was cut within the command", async () => {
    const proxy = await proxied()
    await record("connection cut within the command", {
      store: await openStore(proxy.port),
      begin: () => {
        proxy.cutInCommand(40)
      },
      end: () => {
        proxy.pass()
      },
    })
  })

  test("refuses while answers do not come through", async () => {
    const proxy = await proxied()
    await record("answers held back", {
      store: await openStore(proxy.port),
      begin: () => {
        proxy.stall()
      },
      end: () => {
        proxy.pass()
      },
    })
  })

  test("refuses while the server is out of memory", async () => {
    await record("server out of memory", {
      begin: () => server.command("CONFIG", "SET", "maxmemory", "1"),
      end: () => server.command("CONFIG", "SET", "maxmemory", "0"),
    })
  })

  for (const [name, stepMs] of [
    ["process's clock set ahead", 60_000],
    ["process's clock set back", -60_000],
  ] as const) {
    test(`refuses with the ${name}`, async () => {
      let offsetMs = 0
      const clock = (): number => Date.now() + offsetMs
      await record(name, {
        store: await openStore(server.port, { clock }),
        clock,
        begin: () => (offsetMs = stepMs),
        end: () => (offsetMs = 0),
      })
    })

    const started = name.replace("process's clock set", "process started with its clock")
    test(`refuses in a ${started}`, async () => {
      const open = (clock: () => number): Promise<RedisStore> => openStore(server.port, { clock })
      await record(started, await startWithWrongClock(open, stepMs))
    })

    test(`writes nothing when a process starts with the ${name}`, async () => {
      server.command("FLUSHALL")
      const store = await openStore(server.port, { clock: () => Date.now() + stepMs })
      await expect(store.ready()).rejects.toMatchObject({ code: "ERR_STORE" })
      expect(server.command("DBSIZE")).toBe("0")
    })
  }

  async function attachReplica(): Promise<RedisServer> {
    const replica = await startServer("--replicaof", "127.0.0.1", String(server.port))
    await linked(replica)
    // a server's first replica begins a new life, which is marked
    await (await openStore()).ready()
    backdate(server)
    return replica
  }
  async function linked(replica: RedisServer): Promise<void> {
    const replication = (): string => replica.command("INFO", "replication")
    await expect.poll(replication, { timeout: 10_000 }).toContain("master_link_status:up")
  }

  test("quarantines after a replica was promoted", async () => {
    const replica = await attachReplica()
    const proxy = await proxied()
    await record("replica promoted", {
      store: await openStore(proxy.port),
      begin: () => server.kill(),
      end: () => {
        replica.command("REPLICAOF", "NO", "ONE")
        proxy.redirect(replica.port)
      },
    })
  })

  test("quarantines after a primary lost its place, and regained it with its markers but not all ids", async () => {
    const other = await attachReplica()
    await record("primary replaced, and back in its place", {
      begin: async () => {
        server.command("WAIT", "1", "5000")
        other.command("REPLICAOF", "NO", "ONE")
        other.command("EVAL", REMOVE_IDS, "0")
        server.command("REPLICAOF", "127.0.0.1", String(other.port))
        await linked(server)
      },
      end: () => server.command("REPLICAOF", "NO", "ONE"),
    })
  })

  test("refuses a replica, a writable one too", async () => {
    const replica = await attachReplica()
    for (const readOnly of ["yes", "no"]) {
      replica.command("CONFIG", "SET", "replica-read-only", readOnly)
      const store = await openStore(replica.port)
      await expect(store.ready()).rejects.toMatchObject({
        code: "ERR_STORE",
        message: expect.stringContaining("primary") as string,
      })
    }
  })

  test("answers within the guard's time-out while the server is paused", async () => {
    const store = await openStore()
    await store.ready()
    server.pause()
    const start = performance.now()
    expect(await deliver(scenarioGuard(store), sendMessage())).toBe("`ERR_STORE`")
    // not a measure of speed: it fails when the claim waits for the server
    expect(performance.now() - start).toBeLessThan(STORE_TIMEOUT_MS + 10_000)
    server.resume()
  })
})
