/**
 * A process that claims without an end, to be killed: writes each id that it was given to stdout. `node … <path>`.
 *
 * @module
 */

import { randomBytes } from "node:crypto"
import { writeSync } from "node:fs"

import { sqliteStore } from "../../src/stores/sqlite.ts"
import { anySqlite } from "./sqlite-clients.ts"

const database = anySqlite?.(process.argv[2] ?? "")
if (!database) throw new Error("no SQLite client")
const store = sqliteStore(database)

async function claimForEver(): Promise<never> {
  for (;;) {
    const id = randomBytes(32).toString("base64url")
    if (await store.claim(id, Date.now() + 600_000)) writeSync(1, `${id}\n`)
  }
}

// several at once, so that transactions hold more than one
for (let i = 0; i < 8; i++) void claimForEver()
