import { afterAll, beforeAll, describe, expect, it, test } from "vitest"

import { sessionStoreContract } from "../../src/contracts/session-store.ts"
import { postgresSessionSchema, postgresSessionStore } from "../../src/stores/postgres.ts"
import { notRun } from "../support/not-run.ts"
import { type ConnectedPostgres, POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

let server: PostgresServer | undefined
beforeAll(async () => {
  if (hasPostgresServer) server = await startPostgresServer()
})
afterAll(() => server?.close())

interface Queries {
  query?(text: string): Promise<unknown>
  unsafe?(text: string): Promise<unknown>
  exec?(text: string): Promise<unknown>
}

for (const [name, connect] of Object.entries(POSTGRES_CLIENTS)) {
  const needsServer = name !== "@electric-sql/pglite"
  const missing = clientLibrary(name) === undefined ? name : needsServer && !hasPostgresServer && "postgres"
  if (missing) {
    notRun(`the Postgres session store with ${name}`, missing)
    continue
  }
  describe(`Postgres session store with ${name}`, () => {
    let connected: ConnectedPostgres
    let table = ""
    let count = 0
    beforeAll(async () => {
      connected = await connect(server?.port ?? 0)
    })
    afterAll(() => connected.close())
    const create = async () => {
      table = `sessions_${name.replace(/\W/g, "")}_${count++}`
      const client = connected.client as Queries
      const schema = postgresSessionSchema({ table })
      await (client.exec?.(schema) ?? client.unsafe?.(schema) ?? client.query?.(schema))
      return postgresSessionStore(connected.client, { table })
    }
    const reopen = () => postgresSessionStore(connected.client, { table })
    const cases = sessionStoreContract({ create, reopen })
    for (const { name, run } of cases) test(name, { timeout: 30_000 }, run)
  })
}

const withoutPg = clientLibrary("pg") === undefined ? "pg" : !hasPostgresServer && "postgres"
if (withoutPg) notRun("sweeps of the Postgres session store beside others", withoutPg)

describe.skipIf(withoutPg)("a sweep of the Postgres session store", () => {
  interface Transaction extends Required<Pick<Queries, "query">> {
    release(): void
  }

  it("leaves a session that another process touches meanwhile", async () => {
    const { client, close } = (await POSTGRES_CLIENTS["pg"]?.(server?.port ?? 0)) as ConnectedPostgres
    const pool = client as {
      query(text: string): Promise<{ rows: unknown[] }>
      connect(): Promise<Transaction>
    }
    await pool.query(postgresSessionSchema({ table: "swept" }))
    const store = postgresSessionStore(client, { table: "swept" })
    const id = "A".repeat(22)
    const content = new Uint8Array(1)
    const room = { maxSessions: 9, maxPendingOffers: 9 }
    await store.add(id, { content, key: undefined, endsAtMs: 2000 }, room, 1000)
    await store.open(id, { content, principal: undefined, openedAtMs: 1000, endsAtMs: 2000 }, 1000)
    const other = await pool.connect()
    await other.query("BEGIN")
    await other.query(`UPDATE swept SET ends_at_ms = 3000 WHERE id = '${id}'`)
    const swept = store.sweep(2000)
    const waiting =
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM \"swept\"%'"
    while ((await pool.query(waiting)).rows.length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10))
    await other.query("COMMIT")
    other.release()
    await swept
    expect(await store.find(id, 2000)).toMatchObject({ state: "open", endsAtMs: 3000 })
    await close()
  })
})

describe("the Postgres session store", () => {
  const failing = { query: () => Promise.reject(new Error("postgres://user:hunter2@host is down")) }

  it("refuses when the server cannot be asked, and tells no secret of the connection", async () => {
    const failure: unknown = await Promise.resolve(postgresSessionStore(failing).find("a", 0)).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: "ERR_STORE" })
    expect(String((failure as Error).cause)).not.toContain("hunter2")
  })

  it("sends nothing that is not an id or a time", async () => {
    const store = postgresSessionStore(failing)
    await expect(store.end("a'; DROP TABLE x; --")).rejects.toThrow(TypeError)
    await expect(store.find("a", 0.5)).rejects.toThrow(TypeError)
    expect(() => postgresSessionStore(failing, { table: 'x"; DROP' })).toThrow(TypeError)
    expect(() => postgresSessionSchema({ table: "1" })).toThrow(TypeError)
  })
})
