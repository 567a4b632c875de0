import { randomBytes } from "node:crypto"
import { setTimeout as pause } from "node:timers/promises"
import { afterEach, beforeEach, describe, test, vi } from "vitest"

import { memoryStore } from "../../src/replay/memory-store.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import { sqliteStore } from "../../src/stores/sqlite.ts"
import { type Fault, replaceable, runFault, TIMES } from "../support/fault-scenario.ts"
import { recordFault } from "../support/fault-table.ts"
import { notRun } from "../support/not-run.ts"
import { anySqlite, type OpenSqlite } from "../support/sqlite-clients.ts"
import { BACKDATE, type SqliteFile, sqliteFile } from "../support/sqlite-files.ts"

const HOUR_MS = 3_600_000
const STEPS = [
  ["ahead", 60_000],
  ["back", -60_000],
] as const

/** The clock of the whole process. */
let offsetMs = 0
beforeEach(() => {
  const { now } = Date
  vi.spyOn(Date, "now").mockImplementation(() => now() + offsetMs)
})
afterEach(() => {
  offsetMs = 0
  vi.restoreAllMocks()
})

const stepBy = (stepMs: number): Omit<Fault, "store"> => ({
  begin: () => {
    offsetMs = stepMs
  },
  end: () => {
    offsetMs = 0
  },
})

const claimAny = async (store: ReplayStore): Promise<boolean> =>
  store.claim(randomBytes(32).toString("base64url"), Date.now() + 120_000)

async function fill(store: ReplayStore, count: number): Promise<void> {
  await Promise.allSettled(Array.from({ length: count }, () => claimAny(store)))
}

/** Until no page of the table has room for another id: 200 in a row that find none hit each of 20 pages. */
async function fillUp(store: ReplayStore): Promise<void> {
  for (let refused = 0; refused < 200;) {
    refused = await claimAny(store).then(
      () => 0,
      () => refused + 1,
    )
  }
}

const open = anySqlite
if (!open) notRun("the SQLite store in faults", "a SQLite client")

describe.skipIf(!open)("SQLite store in faults", { timeout: 60_000 }, () => {
  let file: SqliteFile
  let database: OpenSqlite
  const openStore = (): ReplayStore => sqliteStore(file.open(), { busyTimeoutMs: 50 })
  const record = async (name: string, fault: Fault): Promise<void> => {
    recordFault(name, "SQLite", await runFault(fault))
  }

  beforeEach(async () => {
    if (!open) return
    file = sqliteFile(open)
    database = file.open()
    await sqliteStore(database).ready()
    for (let minute = 0; minute < 5; minute++) file.exec(BACKDATE)
  })
  afterEach(() => {
    file.remove()
  })

  test("refuses on a full disk", async () => {
    const store = sqliteStore(database)
    await record("disk full", {
      store,
      begin: async () => {
        database.exec("PRAGMA max_page_count = 20")
        await fillUp(store)
      },
      end: () => {
        database.exec("PRAGMA max_page_count = 1000000")
      },
    })
  })

  test("refuses while another process holds the lock", async () => {
    await record("file locked", {
      store: openStore(),
      begin: () => {
        database.exec("BEGIN IMMEDIATE")
      },
      end: () => {
        database.exec("ROLLBACK")
      },
    })
  })

  test("quarantines after the table was emptied", async () => {
    await record("all rows removed", {
      store: openStore(),
      begin: () => {
        file.exec("DELETE FROM sealwire_replay")
      },
    })
  })

  test("remembers through a restart of the process", async () => {
    const { store, replace } = replaceable(openStore)
    await record("process started again", { store, begin: replace })
  })

  test.each(STEPS)("remembers with the process's clock set %s", async (way, stepMs) => {
    await record(`process's clock set ${way}`, { store: openStore(), ...stepBy(stepMs) })
  })

  test("refuses what it purged while the clock was an hour ahead", async () => {
    const store = openStore()
    await record("process's clock set an hour ahead, ids purged", {
      store,
      begin: async () => {
        offsetMs = HOUR_MS
        await fill(store, 500)
      },
      end: () => {
        offsetMs = 0
      },
    })
  })

  test.each(STEPS)("remembers in a process that started with its clock %s", async (way, stepMs) => {
    const { store, replace } = replaceable(openStore)
    await record(`process started with its clock ${way}`, {
      store,
      begin: () => {
        offsetMs = stepMs
        replace()
      },
      end: () => {
        offsetMs = 0
        replace()
      },
    })
  })
})

describe("memory store in faults", { timeout: 60_000 }, () => {
  /** A store that came to be long enough ago: nothing that is sent now is quarantined. */
  async function agedStore() {
    const made = replaceable(memoryStore)
    await pause((TIMES.maxSkewSeconds + TIMES.clockErrorSeconds + 1) * 1000 + 100)
    return made
  }

  test("quarantines after a restart of the process", async () => {
    const { store, replace } = await agedStore()
    recordFault("process started again", "memory", await runFault({ store, begin: replace }))
  })

  test.each([
    ["ahead", 60_000],
    ["back to before it started", -60_000],
  ])("remembers with the process's clock set %s", async (way, stepMs) => {
    const { store } = await agedStore()
    recordFault(`process's clock set ${way}`, "memory", await runFault({ store, ...stepBy(stepMs) }))
  })
})
