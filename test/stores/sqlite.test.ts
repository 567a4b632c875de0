import { randomBytes } from "node:crypto"
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest"

import { replayStoreContract } from "../../src/contracts/replay-store.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import { type SqliteDatabase, sqliteSchema, sqliteStore } from "../../src/stores/sqlite.ts"
import { notRun } from "../support/not-run.ts"
import { BRINGS_SQLITE, type OpenSqliteFile, SQLITE_CLIENTS } from "../support/sqlite-clients.ts"
import { type SqliteFile, sqliteFile } from "../support/sqlite-files.ts"

const newId = (): string => randomBytes(32).toString("base64url")
/** A hundred at a time: each hundred waits for the disk once. */
async function claimMany(store: ReplayStore, count: number, expiresAtMs: number): Promise<void> {
  for (let i = 0; i < count; i += 100) {
    const answers = Array.from({ length: 100 }, () => store.claim(newId(), expiresAtMs))
    expect(await Promise.all(answers)).not.toContain(false)
  }
}

const inTwoMinutes = (): number => Date.now() + 120_000

if (!BRINGS_SQLITE) {
  test.skip("NOT RUN: the SQLite store with node:sqlite, which Node brings from version 22 on", () =>
    undefined)
}
for (const [name, open] of Object.entries(SQLITE_CLIENTS)) {
  if (!open) {
    notRun(`the SQLite store with ${name}`, name)
    continue
  }
  describe(`SQLite store with ${name}`, () => {
    describe("on a file", () => {
      const file = sqliteFile(open)
      const create = () => sqliteStore(file.open())
      afterAll(() => {
        file.remove()
      })
      for (const { name, run } of replayStoreContract({ create, reopen: create })) test(name, run)
    })
    describe("in memory", () => {
      const create = () => sqliteStore(open(":memory:"))
      for (const { name, run } of replayStoreContract({ create })) test(name, run)
    })
    behaves(open)
  })
}

function behaves(open: OpenSqliteFile): void {
  let file: SqliteFile
  beforeEach(() => {
    file = sqliteFile(open)
  })
  afterEach(() => {
    file.remove()
  })

  test("does nothing to the database before it is used", () => {
    const database: SqliteDatabase = { exec: vi.fn(), prepare: vi.fn() }
    sqliteStore(database)
    expect(database.exec).not.toHaveBeenCalled()
    expect(database.prepare).not.toHaveBeenCalled()
  })

  test("knows since the table was made, also through a later connection", async () => {
    const first = sqliteStore(file.open())
    expect(first.knowsSince()).toBe(0)
    await first.ready()
    const sinceMs = first.knowsSince()
    expect(Math.abs(Date.now() - sinceMs)).toBeLessThan(10_000)
    file.exec("UPDATE sealwire_replay SET known_since_ms = known_since_ms - 60000 WHERE id = x''")
    const second = sqliteStore(file.open())
    await second.ready()
    expect(second.knowsSince()).toBeGreaterThan(sinceMs - 61_000)
    expect(second.knowsSince()).toBeLessThan(sinceMs - 50_000)
  })

  test.each(["DELETE FROM sealwire_replay", "DROP TABLE sealwire_replay"])(
    "knows nothing from before a %s, in every process",
    async (sql) => {
      const stores = [sqliteStore(file.open()), sqliteStore(file.open())]
      for (const store of stores) await store.ready()
      file.exec("UPDATE sealwire_replay SET known_since_ms = 1000 WHERE id = x''")
      const startMs = performance.timeOrigin + performance.now()
      file.exec(sql)
      for (const store of stores) {
        await store.claim(newId(), inTwoMinutes()).catch(() => store.claim(newId(), inTwoMinutes()))
        expect(store.knowsSince()).toBeGreaterThanOrEqual(Math.floor(startMs) - 10)
      }
    },
  )

  test("refuses to claim inside a transaction of the same connection, and leaves it as it is", async () => {
    const database = file.open()
    const store = sqliteStore(database)
    await store.ready()
    database.exec("CREATE TABLE orders (n INTEGER)")
    database.exec("BEGIN")
    database.exec("INSERT INTO orders VALUES (1)")
    const id = newId()
    await expect(store.claim(id, inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE" })
    database.exec("COMMIT")
    expect(Object.values(database.prepare("SELECT count(*) FROM orders").get() as object)).toEqual([1])
    expect(await store.claim(id, inTwoMinutes())).toBe(true)
  })

  test("purges what has expired, and nothing else", async () => {
    let nowMs = 1_800_000_000_000
    const database = file.open()
    const store = sqliteStore(database, { clock: () => nowMs })
    const kept = newId()
    await store.claim(kept, nowMs + 3_600_000)
    await claimMany(store, 1000, nowMs + 1000)
    nowMs += 1001
    await claimMany(store, 1000, nowMs + 120_000)
    const count = database.prepare("SELECT count(*) FROM sealwire_replay WHERE expires_at_ms <= ?")
    expect(Object.values(count.get(nowMs) as object)).toEqual([0])
    expect(await store.claim(kept, nowMs + 3_600_000)).toBe(false)
  })

  test("refuses what it may have purged, when the clock is set back, also after a restart", async () => {
    let nowMs = 1_800_000_000_000
    const clock = () => nowMs
    const store = sqliteStore(file.open(), { clock })
    const id = newId()
    const expiresAtMs = nowMs + 120_000
    await store.claim(id, expiresAtMs)
    nowMs += 3_600_000
    await claimMany(store, 500, nowMs + 120_000)
    nowMs -= 3_600_000
    for (const later of [store, sqliteStore(file.open(), { clock })]) {
      await expect(later.claim(id, expiresAtMs)).rejects.toMatchObject({ code: "ERR_STORE" })
      expect(await later.claim(newId(), expiresAtMs + 1)).toBe(true)
    }
  })

  test("says that the disk is full, and goes on when there is room", async () => {
    const database = file.open()
    const store = sqliteStore(database)
    await store.ready()
    database.exec("PRAGMA max_page_count = 20")
    await expect(claimMany(store, 5000, inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE_FULL" })
    database.exec("PRAGMA max_page_count = 1000000")
    expect(await store.claim(newId(), inTwoMinutes())).toBe(true)
  })

  test("makes room on a full disk out of what has expired", async () => {
    let nowMs = 1_800_000_000_000
    const database = file.open()
    const store = sqliteStore(database, { clock: () => nowMs })
    await store.ready()
    database.exec("PRAGMA max_page_count = 20")
    await expect(claimMany(store, 5000, nowMs + 1000)).rejects.toMatchObject({ code: "ERR_STORE_FULL" })
    nowMs += 1001
    expect(await store.claim(newId(), nowMs + 1000)).toBe(true)
  })

  test("gives up on a locked file, and goes on when it is free", async () => {
    const store = sqliteStore(file.open(), { busyTimeoutMs: 50 })
    await store.ready()
    const other = file.open()
    other.exec("BEGIN IMMEDIATE")
    const refusal = store.claim(newId(), inTwoMinutes())
    await expect(refusal).rejects.toMatchObject({ code: "ERR_STORE", cause: expect.any(Error) as Error })
    other.exec("ROLLBACK")
    expect(await store.claim(newId(), inTwoMinutes())).toBe(true)
  })

  test("refuses on a closed connection, and with a clock that has no time", async () => {
    const closed = open(":memory:")
    closed.close()
    for (const store of [sqliteStore(closed), sqliteStore(file.open(), { clock: () => NaN })]) {
      await expect(store.claim(newId(), inTwoMinutes())).rejects.toMatchObject({ code: "ERR_STORE" })
      await expect(store.ready()).rejects.toMatchObject({ code: "ERR_STORE" })
    }
  })

  test("works on a table that was made by its exported schema, run twice, under another name", async () => {
    const database = file.open()
    database.exec(sqliteSchema("seen") + sqliteSchema("seen"))
    const store = sqliteStore(database, { table: "seen" })
    const id = newId()
    expect(await store.claim(id, inTwoMinutes())).toBe(true)
    expect(await store.claim(id, inTwoMinutes())).toBe(false)
  })

  test("commits claims through a power cut: the log is synced at each", async () => {
    const database = file.open()
    await sqliteStore(database).ready()
    const EXTRA = 3
    expect(Object.values(database.prepare("PRAGMA synchronous").get() as object).map(Number)).toEqual([EXTRA])
    expect(Object.values(database.prepare("PRAGMA journal_mode").get() as object)).toEqual(["wal"])
  })
}

describe("SQLite store", () => {
  const database: SqliteDatabase = { exec: vi.fn(), prepare: vi.fn() }

  test.each([undefined, null, {}, { exec: vi.fn() }, "replay.db"])("rejects %j for a database", (value) => {
    expect(() => sqliteStore(value as unknown as SqliteDatabase)).toThrow(TypeError)
  })

  test.each([
    [{ table: 'a"b' }, TypeError],
    [{ table: "" }, TypeError],
    [{ table: "1st" }, TypeError],
    [{ busyTimeoutMs: -1 }, RangeError],
    [{ busyTimeoutMs: 1.5 }, RangeError],
    [{ clock: 1 }, TypeError],
    [{ tabel: "ids" }, TypeError],
  ])("rejects the options %j", (options, kind) => {
    expect(() => sqliteStore(database, options as object)).toThrow(kind)
  })

  test("rejects ids that are not 32 bytes, and expiries that are no time", async () => {
    const store = sqliteStore(database)
    for (const id of ["", "short", randomBytes(31).toString("base64url"), `${newId().slice(0, 42)}=`]) {
      await expect(store.claim(id, inTwoMinutes())).rejects.toThrow(TypeError)
    }
    for (const expiry of [NaN, Infinity]) {
      await expect(store.claim(newId(), expiry)).rejects.toThrow(RangeError)
    }
  })
})
