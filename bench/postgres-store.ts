/**
 * postgresStore beside the bare client, in turns: claims a second over pg, 1, 16 and 64 at once, with 16 connections; or,
 * with `--full`, disk and waits at 10 k, 1 M and 10 M ids (5 GB, ten minutes). Run with `node bench/postgres-store.ts` on
 * Node 22.18 or later, from the root after `npm run build`; needs Postgres and tools/stores; takes a minute.
 * "same statement" sends what the store sends; "plain INSERT" has none of its checks. The server does not wait for the disk.
 *
 * @module
 */

import { randomBytes } from "node:crypto"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"

import type * as Door from "../src/stores/postgres.ts"
import { startPostgresServer } from "../test/support/postgres-server.ts"

interface Pool {
  query(text: string, values?: unknown[]): Promise<{ rows: { verdict?: string }[]; rowCount: number }>
  end(): Promise<void>
}
type Claim = (id: string, expiresAtMs: number) => Promise<boolean>

const door = pathToFileURL(resolve("dist/stores/postgres.js")).href
const { migrate, postgresStore } = (await import(door)) as typeof Door
const { Pool } = createRequire(resolve("tools/stores/package.json"))("pg") as {
  Pool: new (options: object) => Pool
}

const ROUNDS = 21
const CLAIMS = 960
const LIFE_MS = 131_000
const SIZES = [10_000, 1_000_000, 10_000_000]
const FILL_AT_ONCE = 250_000
const WAIT_TURNS = 40
const WAITS_A_TURN = 250

const server = await startPostgresServer()
const connect = (): Pool =>
  new Pool({ host: "127.0.0.1", port: server.port, user: "test", database: "postgres", max: 16 })

const hexOf = (bytes: Buffer): string => bytes.toString("hex", 0, 16)
const newIds = (count: number): string[] =>
  Array.from({ length: count }, () => randomBytes(32).toString("base64url"))
const quantile = (values: number[], share: number): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN
const median = (values: number[]): number => quantile(values, 0.5)

/** What the store sends for a claim, cut around id and expiry. The time it was sent is the sample's: not to be compared for long. */
async function claimStatement(pool: Pool): Promise<string[]> {
  const sample = randomBytes(32)
  const expiresAtMs = Date.now() + 3_600_000
  let parts: string[] = []
  const spy = {
    query: (text: string) => {
      if (text.includes(hexOf(sample))) parts = text.split(new RegExp(`${hexOf(sample)}|${expiresAtMs}`))
      return pool.query(text)
    },
  }
  await postgresStore(spy, { clockErrorSeconds: 3600 }).claim(sample.toString("base64url"), expiresAtMs)
  return parts
}

async function contenders(pool: Pool): Promise<Record<string, Claim>> {
  await migrate(pool)
  await pool.query("CREATE TABLE plain (id bytea PRIMARY KEY, expires_at_ms bigint NOT NULL)")
  await pool.query("CREATE INDEX ON plain (expires_at_ms)")
  const store = postgresStore(pool)
  await store.ready()
  const [before = "", between = "", after = ""] = await claimStatement(pool)
  return {
    postgresStore: (id, endMs) => store.claim(id, endMs),
    "same statement": async (id, endMs) => {
      const hex = hexOf(Buffer.from(id, "base64url"))
      return (await pool.query(before + hex + between + String(endMs) + after)).rows[0]?.verdict === "won"
    },
    "plain INSERT": async (id, endMs) => {
      const values = [Buffer.from(id, "base64url").subarray(0, 16), endMs]
      const text = "INSERT INTO plain VALUES ($1, $2) ON CONFLICT DO NOTHING"
      return (await pool.query(text, values)).rowCount === 1
    },
  }
}

async function claimsPerSecond(claim: Claim, inFlight: number): Promise<number> {
  const ids = newIds(CLAIMS)
  let won = 0
  const start = performance.now()
  const workers = Array.from({ length: inFlight }, async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop())
      if (await claim(id, Date.now() + LIFE_MS)) won++
  })
  await Promise.all(workers)
  if (won !== CLAIMS) throw new Error(`${won} of ${CLAIMS} new ids were claimed`)
  return (CLAIMS / (performance.now() - start)) * 1000
}

async function compare(): Promise<void> {
  const pool = connect()
  const rows = await contenders(pool)
  const names = Object.keys(rows)
  for (const inFlight of [1, 16, 64]) {
    const rates = new Map(names.map((name) => [name, [] as number[]]))
    for (let round = 0; round <= ROUNDS; round++) {
      // each in turn is the first: who comes after another finds the server busy with what that one left
      const first = round % names.length
      for (const name of [...names.slice(first), ...names.slice(0, first)]) {
        const claim = rows[name] as Claim
        const rate = await claimsPerSecond(claim, inFlight)
        // the first round warms up
        if (round > 0) rates.get(name)?.push(rate)
      }
    }
    const own = rates.get("postgresStore") ?? []
    for (const [name, values] of rates) {
      const ratio = median(values.map((rate, round) => (own[round] ?? NaN) / rate))
      console.log(
        `${inFlight} at once  ${name.padEnd(15)} ${Math.round(median([...values]))}/s, store ${ratio.toFixed(2)}x`,
      )
    }
  }
  await pool.end()
}

/** As claims come: random ids, and expiries that grow. */
async function fill(pool: Pool, size: number): Promise<{ name: string; claim: Claim; waits: number[] }> {
  const table = `held_${size}`
  await migrate(pool, { table })
  const store = postgresStore(pool, { table })
  await store.ready()
  for (let held = 0; held < size; held += FILL_AT_ONCE) {
    const last = Math.min(size, held + FILL_AT_ONCE)
    await pool.query(
      `INSERT INTO ${table} (id, expires_at_ms) SELECT uuid_send(gen_random_uuid()), ${Date.now() + 3_600_000} + n / 1000 FROM generate_series(${held + 1}, ${last}) AS n`,
    )
  }
  await pool.query(`VACUUM ANALYZE ${table}`)
  const idBytes = Number(server.sql(`SELECT pg_total_relation_size('${table}')`)) / size
  const name = `${size} ids: ${idBytes.toFixed(0)} bytes an id`
  return { name, claim: (id, endMs) => store.claim(id, endMs), waits: [] }
}

/** A table for each size, so that they can take turns: one claim at a time. */
async function compareSizes(): Promise<void> {
  // as for a server with 8 GB of memory
  for (const [name, value] of Object.entries({ shared_buffers: "2GB", max_wal_size: "8GB" })) {
    server.sql(`ALTER SYSTEM SET ${name} = '${value}'`)
  }
  await server.kill()
  await server.start()
  const pool = connect()
  const filled = []
  for (const size of SIZES) filled.push(await fill(pool, size))
  await pool.query("CHECKPOINT")
  for (let turn = 0; turn <= WAIT_TURNS; turn++) {
    for (const { claim, waits } of filled) {
      for (const id of newIds(WAITS_A_TURN)) {
        const start = performance.now()
        await claim(id, Date.now() + LIFE_MS)
        if (turn > 0) waits.push((performance.now() - start) * 1000)
      }
    }
  }
  for (const { name, waits } of filled) {
    const [p50, p99] = [quantile(waits, 0.5), quantile(waits, 0.99)]
    console.log(`${name}, claim p50 ${p50.toFixed(0)} us, p99 ${p99.toFixed(0)} us`)
  }
  await pool.end()
}

try {
  await (process.argv.includes("--full") ? compareSizes() : compare())
} finally {
  await server.close()
}
