import { describe, expect, it, test } from "vitest"

import { sessionStoreContract } from "../../src/contracts/session-store.ts"
import { type SqliteSessionDatabase, sqliteSessionStore } from "../../src/stores/sqlite.ts"
import { notRun } from "../support/not-run.ts"
import { SQLITE_CLIENTS } from "../support/sqlite-clients.ts"
import { type SqliteFile, sqliteFile } from "../support/sqlite-files.ts"

for (const [name, openFile] of Object.entries(SQLITE_CLIENTS)) {
  if (!openFile) {
    notRun(`the SQLite session store with ${name}`, name)
    continue
  }
  describe(`SQLite session store with ${name}`, () => {
    let file: SqliteFile
    const connect = () => sqliteSessionStore(file.open() as unknown as SqliteSessionDatabase)
    const create = () => {
      file = sqliteFile(openFile)
      return connect()
    }
    const cases = sessionStoreContract({ create, reopen: connect })
    for (const { name, run } of cases) {
      test(name, async () => {
        await run()
        file.remove()
      })
    }
  })
}

describe("the SQLite session store", () => {
  it("does no I/O before it is used, and rejects what SQLite throws", async () => {
    const closed = (): never => {
      throw new Error("the database is closed")
    }
    const store = sqliteSessionStore({ exec: closed, prepare: closed })
    await expect(store.find("a", 0)).rejects.toMatchObject({ code: "ERR_STORE" })
  })

  it.each([{ table: "a b" }, { busyTimeoutMs: -1 }, { more: 1 }])("refuses %j", (options) => {
    const database = { exec: () => undefined, prepare: () => ({}) } as unknown as SqliteSessionDatabase
    expect(() => sqliteSessionStore(database, options)).toThrow(/options/)
  })
})
