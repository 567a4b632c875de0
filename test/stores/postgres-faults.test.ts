import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import {
  migrate,
  type PostgresClient,
  type PostgresStore,
  postgresStore,
  type PostgresStoreOptions,
} from "../../src/stores/postgres.ts"
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts"
import { type Fault, runFault, startWithWrongClock, TIMES } from "../support/fault-scenario.ts"
import { recordFault } from "../support/fault-table.ts"
import { notRun } from "../support/not-run.ts"
import { POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const CLIENT = "pg"
const missing = hasPostgresServer ? clientLibrary(CLIENT) === undefined && CLIENT : "postgres"
if (missing) notRun("the Postgres store in faults", missing)

const UNLOGGED = "unlogged"
const newId = (): string => randomBytes(32).toString("base64url")
const inTwoMinutes = (): number => Date.now() + 120_000

describe.skipIf(missing)("Postgres store in faults", { timeout: 90_000 }, () => {
  let server: PostgresServer
  const closers: (() => Promise<void>)[] = []

  async function connect(port: number = server.port): Promise<PostgresClient> {
    const connected = await POSTGRES_CLIENTS[CLIENT]?.(port)
    if (!connected) throw new Error(CLIENT)
    closers.push(() => connected.close())
    return connected.client
  }
  async function openStore(options: PostgresStoreOptions = {}, port?: number): Promise<PostgresStore> {
    const { clockErrorSeconds } = TIMES
    return postgresStore(await connect(port), { clockErrorSeconds, ...options })
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
    recordFault(name, "Postgres", await runFault({ store: await openStore(), ...fault }))
  }

  beforeEach(async () => {
    server = await startPostgresServer()
    closers.push(() => server.close())
    for (const options of [{}, { table: UNLOGGED, unlogged: true }]) {
      await migrate(await connect(), options)
      const { table = "sealwire_replay" } = options
      await (await openStore({ table })).ready()
      // long ago, so that nothing that is sent now is quarantined
      server.sql(`UPDATE ${table} SET known_since_ms = known_since_ms - 300000 WHERE id = ''`)
    }
  }, 60_000)
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }, 60_000)

  test("remembers through a crash of the server", async () => {
    await record("server killed, started again", { begin: () => server.kill(), end: () => server.start() })
  })

  test("quarantines when a crash has emptied an unlogged table", async () => {
    await record("server killed, started again, table unlogged", {
      store: await openStore({ table: UNLOGGED }),
      begin: () => server.kill(),
      end: () => server.start(),
    })
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

  test("quarantines after the table was emptied", async () => {
    await record("all rows removed", { begin: () => server.sql("TRUNCATE sealwire_replay") })
  })

  test("quarantines after the table was made anew", async () => {
    await record("table dropped", {
      begin: () => server.sql("DROP TABLE sealwire_replay"),
      end: async () => migrate(await connect()),
    })
  })

  test("quarantines after its old rows were put into a new table, marker included", async () => {
    await record("table restored from a dump", {
      begin: () =>
        server.sql(
          "CREATE TABLE copy (LIKE sealwire_replay INCLUDING ALL); INSERT INTO copy SELECT * FROM sealwire_replay; " +
            "DROP TABLE sealwire_replay; ALTER TABLE copy RENAME TO sealwire_replay",
        ),
    })
  })

  test("refuses the message whose connection was cut before the answer", async () => {
    const proxy = await proxied()
    await record("connection cut before the answer", {
      store: await openStore({}, proxy.port),
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
      store: await openStore({}, proxy.port),
      begin: () => {
        proxy.cutInCommand(40)
      },
      end: () => {
        proxy.pass()
      },
    })
  })

  test("refuses while answers are held back", async () => {
    const proxy = await proxied()
    await record("answers held back", {
      store: await openStore({}, proxy.port),
      begin: () => {
        proxy.stall()
      },
      end: () => {
        proxy.pass()
      },
    })
  })

  test.each([
    ["process's clock set ahead", 60_000],
    ["process's clock set back", -60_000],
  ])("refuses with the %s", async (name, stepMs) => {
    let offsetMs = 0
    const clock = () => Date.now() + offsetMs
    await record(name, {
      store: await openStore({ clock }),
      clock,
      begin: () => {
        offsetMs = stepMs
      },
      end: () => {
        offsetMs = 0
      },
    })
  })

  test.each([
    ["process started with its clock ahead", 60_000],
    ["process started with its clock back", -60_000],
  ])("refuses in a %s", async (name, stepMs) => {
    await record(name, await startWithWrongClock((clock) => openStore({ clock }), stepMs))
  })

  test("refuses a replica, and quarantines when it has been promoted", async () => {
    const replica = await server.startReplica()
    closers.push(() => replica.close())
    const proxy = await startFaultProxy(replica.port)
    closers.push(() => proxy.close())
    const onReplica = await openStore({}, replica.port)
    await expect(onReplica.claim(newId(), inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE" })
    await (await openStore()).claim(newId(), inTwoMinutes())
    await server.kill()
    replica.promote()
    const startMs = Date.now()
    expect(await onReplica.claim(newId(), inTwoMinutes())).toBe(true)
    expect(onReplica.knowsSince()).toBeGreaterThan(startMs - 2000)
  })

  test("claims as a role that may do no more than use the table", async () => {
    server.sql("CREATE ROLE plain LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON sealwire_replay TO plain")
    server.sql("ALTER ROLE test SET ROLE plain; ALTER ROLE test SET synchronous_commit = off")
    const store = await openStore()
    expect(await store.claim(newId(), inTwoMinutes())).toBe(true)
    expect(server.sql("SELECT current_user")).toBe("plain")
  })

  test.each(["repeatable read", "serializable"])("claims once where %s is the default", async (isolation) => {
    server.sql(`ALTER ROLE test SET default_transaction_isolation = '${isolation}'`)
    const store = await openStore()
    const id = newId()
    const answers = await Promise.all(Array.from({ length: 50 }, () => store.claim(id, inTwoMinutes())))
    expect(answers.filter((answer) => answer)).toHaveLength(1)
  })

  test("purges what expired long enough ago, and refuses it ever after", async () => {
    const expiredMs = Date.now() - 120_000
    server.sql(
      `INSERT INTO sealwire_replay SELECT decode(md5(n::text), 'hex'), ${expiredMs} FROM generate_series(1, 1500) n`,
    )
    const recent = Date.now() - 1000
    server.sql(`INSERT INTO sealwire_replay VALUES (decode(md5('recent'), 'hex'), ${recent})`)
    const store = await openStore()
    for (let i = 0; i < 600; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => store.claim(newId(), inTwoMinutes())))
    }
    const left = `SELECT count(*) FROM sealwire_replay WHERE expires_at_ms <= ${Date.now()}`
    await expect.poll(() => server.sql(left), { timeout: 10_000 }).toBe("1")
    expect(server.sql("SELECT purged_until_ms FROM sealwire_replay WHERE id = ''")).toBe(String(expiredMs))
    server.sql(`UPDATE sealwire_replay SET purged_until_ms = ${Date.now() + 60_000} WHERE id = ''`)
    await expect(store.claim(newId(), Date.now() + 30_000)).rejects.toMatchObject({ code: "ERR_STORE" })
  })
})
