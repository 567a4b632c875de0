import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

import { replayStoreContract } from "../../src/contracts/replay-store.ts"
import { migrate, type PostgresClient, postgresSchema, postgresStore } from "../../src/stores/postgres.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const newId = (): string => randomBytes(32).toString("base64url")
const inTwoMinutes = (): number => Date.now() + 120_000

/** One server for all clients, each with a table of its own. */
let server: PostgresServer
beforeAll(async () => {
  if (hasPostgresServer) server = await startPostgresServer()
}, 60_000)
afterAll(() => (hasPostgresServer ? server.close() : undefined))

for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
  const missing = hasPostgresServer ? clientLibrary(name) === undefined && name : "postgres"
  if (missing) notRun(`the Postgres store with ${name}`, missing)
  else {
    describe(`Postgres store with ${name}`, { timeout: 120_000 }, () => {
      behaves(name, connect)
    })
  }
}

function behaves(name: string, connect: (port: number) => Promise<ConnectedPostgres>): void {
  const table = `ids_${name.replace(/\W/g, "_")}`
  let connected: ConnectedPostgres
  beforeAll(async () => {
    connected = await connect(server.port)
    await migrate(connected.client, { table })
  }, 60_000)
  afterAll(() => connected.close())

  const create = () => postgresStore(connected.client, { table })
  const contract = replayStoreContract({ create, reopen: create })
  // PGlite takes several milliseconds for any statement
  const cases = name.includes("pglite") ? contract.filter(({ name }) => !name.includes("10,000")) : contract
  for (const { name, run } of cases) test(name, run)

  test("refuses to claim inside a transaction, so that its rollback undoes no claim", async () => {
    const id = newId()
    await connected.rolledBack(async (inside) => {
      const claim = postgresStore(inside, { table }).claim(id, inTwoMinutes())
      await expect(claim).rejects.toMatchObject({ code: "ERR_STORE" })
    })
    expect(await create().claim(id, inTwoMinutes())).toBe(true)
    expect(await create().claim(id, inTwoMinutes())).toBe(false)
  })

  test("makes its table once, however many do so at the same time", async () => {
    const options = { table: `${table}_many`, unlogged: true }
    await Promise.all(Array.from({ length: 5 }, () => migrate(connected.client, options)))
    expect(
      await postgresStore(connected.client, { table: options.table }).claim(newId(), inTwoMinutes()),
    ).toBe(true)
  })

  test("says that the table is missing", async () => {
    const store = postgresStore(connected.client, { table: "nowhere" })
    const refusal = expect.objectContaining({
      code: "ERR_STORE",
      message: expect.stringContaining("migrate") as string,
    })
    await expect(store.ready()).rejects.toEqual(refusal)
    await expect(store.claim(newId(), inTwoMinutes())).rejects.toEqual(refusal)
  })

  test("refuses when the clocks are apart, either way", async () => {
    for (const offsetMs of [-60_000, 60_000]) {
      const store = postgresStore(connected.client, { table, clock: () => Date.now() + offsetMs })
      await expect(store.claim(newId(), inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE" })
      await expect(store.ready()).rejects.toMatchObject({ code: "ERR_STORE" })
    }
  })
}

describe("Postgres store", () => {
  const client: PostgresClient = { query: vi.fn() }

  test("does nothing before it is used", () => {
    postgresStore(client)
    expect(client.query).not.toHaveBeenCalled()
  })

  test.each([undefined, null, {}, "postgres://127.0.0.1", { exec: vi.fn(), query: vi.fn() }])(
    "rejects %j for a client",
    (value) => {
      expect(() => postgresStore(value as unknown as PostgresClient)).toThrow(TypeError)
    },
  )

  test.each([
    [{ table: 'a"b' }, TypeError],
    [{ table: "" }, TypeError],
    [{ schema: "a.b" }, TypeError],
    [{ schema: "a'b" }, TypeError],
    [{ clockErrorSeconds: 0 }, RangeError],
    [{ clock: 1 }, TypeError],
    [{ tabel: "ids" }, TypeError],
  ])("rejects the options %j", (options, kind) => {
    expect(() => postgresStore(client, options as object)).toThrow(kind)
  })

  test("rejects ids that are not 32 bytes, and expiries that are no time", async () => {
    const store = postgresStore(client)
    for (const id of ["", "short", randomBytes(31).toString("base64url"), `'; --${newId()}`]) {
      await expect(store.claim(id, inTwoMinutes())).rejects.toThrow(TypeError)
    }
    for (const expiry of [NaN, Infinity]) {
      await expect(store.claim(newId(), expiry)).rejects.toThrow(RangeError)
    }
  })

  test("refuses an answer that is none", async () => {
    for (const rows of [[], [{}], [{ verdict: "yes" }], [{ verdict: true }]]) {
      const store = postgresStore({ query: () => Promise.resolve({ rows }) })
      await expect(store.claim(newId(), inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE" })
    }
  })

  test("tells only the words of a client's error", async () => {
    const error = Object.assign(new Error("no route to postgres://ann:secret@db/"), { password: "secret" })
    const store = postgresStore({ query: () => Promise.reject(error) })
    const refusal = (await store.ready().catch((thrown: unknown) => thrown)) as Error
    expect(refusal).toMatchObject({ code: "ERR_STORE", cause: { message: "no route to postgres://db/" } })
    expect(JSON.stringify(Object.entries(refusal.cause as object))).not.toContain("secret")
  })

  test("gives its schema as SQL", () => {
    expect(postgresSchema({ schema: "app" })).toContain('CREATE TABLE IF NOT EXISTS "app"."sealwire_replay"')
    expect(postgresSchema({ unlogged: true })).toContain("CREATE UNLOGGED TABLE")
  })
})
