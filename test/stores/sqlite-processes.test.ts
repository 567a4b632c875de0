import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { sqliteStore } from "../../src/stores/sqlite.ts"
import { bundleForProcess, type ClaimProcesses, startClaimProcesses } from "../support/claim-processes.ts"
import { notRun, RUN_ALL } from "../support/not-run.ts"
import { anySqlite } from "../support/sqlite-clients.ts"
import { BACKDATE, type SqliteFile, sqliteFile } from "../support/sqlite-files.ts"

const PROCESSES = 4
const COPIES = 100 / PROCESSES
const ROUNDS_AT_ONCE = 20
const ROUNDS = RUN_ALL ? 1000 : 60
const ENVELOPES = RUN_ALL ? 20 : 4
const ONCE_EACH = new Array<number>(ROUNDS_AT_ONCE).fill(1)
const KILLS = RUN_ALL ? 25 : 5

const open = anySqlite
if (!open) notRun("the SQLite store in several processes", "a SQLite client")

describe.skipIf(!open)("SQLite store in 4 processes", () => {
  let file: SqliteFile
  let processes: ClaimProcesses
  beforeAll(async () => {
    if (!open) return
    file = sqliteFile(open)
    await sqliteStore(file.open()).ready()
    file.exec(BACKDATE)
    processes = await startClaimProcesses("./sqlite-claims.ts", PROCESSES, [file.path])
  }, 30_000)
  afterAll(async () => {
    await processes.close()
    file.remove()
  })

  test(`accepts one of 100 copies in each of ${ROUNDS} rounds`, { timeout: 120_000 }, async () => {
    for (let round = 0; round < ROUNDS; round += ROUNDS_AT_ONCE) {
      expect(await processes.raceIds(ROUNDS_AT_ONCE, COPIES)).toEqual(ONCE_EACH)
    }
  })

  test(`opens one of 100 copies of each of ${ENVELOPES} envelopes`, { timeout: 120_000 }, async () => {
    const opened = await processes.raceEnvelopes(ENVELOPES, COPIES)
    expect(opened).toEqual(ONCE_EACH.slice(0, ENVELOPES))
  })
})

describe.skipIf(!open)("SQLite store on a file", () => {
  test(`accepts nothing again after kill -9, ${KILLS} times`, { timeout: 120_000 }, async () => {
    if (!open) return
    const file = sqliteFile(open)
    const victim = await bundleForProcess("./sqlite-victim.ts")
    for (let round = 0; round < KILLS; round++) {
      const child = spawn(process.execPath, [victim.path, file.path], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      let output = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
      await once(child.stdout, "data")
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200))
      child.kill("SIGKILL")
      await once(child, "close")
      const accepted = output.split("\n").filter((line) => line.length === 43)
      expect(accepted.length).toBeGreaterThan(0)
      const store = sqliteStore(file.open())
      const again = await Promise.all(accepted.map((id) => store.claim(id, Date.now() + 600_000)))
      expect(again).not.toContain(true)
    }
    victim.remove()
    file.remove()
  })

  test("refuses a file that is no database, or that it may not write", async () => {
    if (!open) return
    const file = sqliteFile(open)
    writeFileSync(file.path, randomBytes(8192))
    const claim = sqliteStore(file.open()).claim(randomBytes(32).toString("base64url"), Date.now() + 1000)
    await expect(claim).rejects.toMatchObject({ code: "ERR_STORE", cause: expect.any(Error) as Error })
    file.remove()
  })
})
