import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { migrate, postgresStore } from "../../src/stores/postgres.ts"
import { type ClaimProcesses, startClaimProcesses } from "../support/claim-processes.ts"
import { notRun, RUN_ALL } from "../support/not-run.ts"
import { POSTGRES_CLIENTS } from "../support/postgres-clients.ts"
import { hasPostgresServer, type PostgresServer, startPostgresServer } from "../support/postgres-server.ts"
import { clientLibrary } from "../support/store-clients.ts"

const PROCESSES = 4
const COPIES = 100 / PROCESSES
const ROUNDS_AT_ONCE = 20
const ROUNDS = RUN_ALL ? 1000 : 40
const ENVELOPES = RUN_ALL ? 20 : 4
const ONCE_EACH = new Array<number>(ROUNDS_AT_ONCE).fill(1)

const missing = hasPostgresServer ? clientLibrary("pg") === undefined && "pg" : "postgres"
if (missing) notRun("the Postgres store in 4 processes", missing)

describe.skipIf(missing)("Postgres store in 4 processes", () => {
  let server: PostgresServer
  let processes: ClaimProcesses
  beforeAll(async () => {
    server = await startPostgresServer()
    const first = await POSTGRES_CLIENTS["pg"]?.(server.port)
    if (!first) return
    await migrate(first.client)
    await postgresStore(first.client).ready()
    await first.close()
    server.sql("UPDATE sealwire_replay SET known_since_ms = known_since_ms - 300000 WHERE id = ''")
    processes = await startClaimProcesses("./postgres-claims.ts", PROCESSES, ["pg", String(server.port)])
  }, 60_000)
  afterAll(async () => {
    await processes.close()
    await server.close()
  })

  test(`accepts one of 100 copies in each of ${ROUNDS} rounds`, { timeout: 300_000 }, async () => {
    for (let round = 0; round < ROUNDS; round += ROUNDS_AT_ONCE) {
      expect(await processes.raceIds(ROUNDS_AT_ONCE, COPIES)).toEqual(ONCE_EACH)
    }
  })

  test(`opens one of 100 copies of each of ${ENVELOPES} envelopes`, { timeout: 120_000 }, async () => {
    const opened = await processes.raceEnvelopes(ENVELOPES, COPIES)
    expect(opened).toEqual(ONCE_EACH.slice(0, ENVELOPES))
  })
})
