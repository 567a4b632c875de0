/**
 * sqliteStore beside the bare statement over the same client, in turns: claims a second, one at a time and 64 at once.
 * Run with `node bench/sqlite-store.mjs` on Node 22.18 or later, from the root after `npm run build`; takes half a minute.
 * The bare statement commits by itself, with the same pragmas; `NORMAL` shows what durability through a power cut costs.
 *
 * @module
 */

import { randomBytes } from "node:crypto"
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pathToFileURL } from "node:url"

import { temporaryFolder } from "../tools/temporary-folder.js"

const { sqliteStore } = await import(pathToFileURL(resolve(process.argv[2] ?? "dist/stores/sqlite.js")).href)

const ROUNDS = 7
const CLAIMS = 640
/** The next to the working directory: `/tmp` is in memory on many machines. */
const directory = temporaryFolder("bench", resolve())

function bare(synchronous) {
  const database = new DatabaseSync(join(directory, `${synchronous}.db`))
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
  database.exec(
    "CREATE TABLE ids (id BLOB PRIMARY KEY NOT NULL, expires_at_ms INTEGER NOT NULL) WITHOUT ROWID",
  )
  database.exec("CREATE INDEX expiry ON ids (expires_at_ms)")
  const insert = database.prepare("INSERT INTO ids VALUES (?, ?) ON CONFLICT DO NOTHING")
  return async (id, expiresAtMs) =>
    insert.run(Buffer.from(id, "base64url").subarray(0, 16), expiresAtMs).changes === 1
}

const store = sqliteStore(new DatabaseSync(join(directory, "store.db")))
await store.ready()
const rows = {
  sqliteStore: (id, endMs) => store.claim(id, endMs),
  "bare, EXTRA": bare("EXTRA"),
  "bare, NORMAL": bare("NORMAL"),
}

async function claimsPerSecond(claim, inFlight) {
  const ids = Array.from({ length: CLAIMS }, () => randomBytes(32).toString("base64url"))
  const start = performance.now()
  for (let from = 0; from < CLAIMS; from += inFlight) {
    await Promise.all(ids.slice(from, from + inFlight).map((id) => claim(id, Date.now() + 131_000)))
  }
  return (CLAIMS / (performance.now() - start)) * 1000
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
for (const inFlight of [1, 64]) {
  const rates = Object.fromEntries(Object.keys(rows).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, claim] of Object.entries(rows)) rates[name].push(await claimsPerSecond(claim, inFlight))
  }
  for (const name of Object.keys(rows))
    console.log(`${inFlight} at once  ${name.padEnd(14)} ${Math.round(median(rates[name]))}/s`)
}
