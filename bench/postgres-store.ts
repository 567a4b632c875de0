/**
 * postgresStore beside the bare client, in turns: claims a second over pg, 1, 16 and 64 at once, with 16 connections.
 * Run with `node bench/postgres-store.ts` on Node 22.18 or later, from the root after `npm run build`; needs Postgres and
 * tools/stores; takes a minute. "same statement" sends what the store sends; "plain INSERT" has none of its checks.
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

const door = pathToFileURL(resolve(process.argv[2] ?? "dist/stores/postgres.js")).href
const { migrate, postgresStore } = (await import(door)) as typeof Door
const { Pool } = createRequire(resolve("tools/stores/package.json"))("pg") as {
  Pool: new (options: object) => Pool
}

const ROUNDS = 7
const CLAIMS = 960

const server = await startPostgresServer()
const pool = new Pool({ host: "127.0.0.1", port: server.port, user: "test", database: "postgres", max: 16 })
await migrate(pool)
await pool.query("CREATE TABLE plain (id bytea PRIMARY KEY, expires_at_ms bigint NOT NULL)")
await pool.query("CREATE INDEX ON plain (expires_at_ms)")

/** What the store sends for a claim, cut around id and expiry. The time it was sent is the sample's: not to be compared for long. */
async function claimStatement(): Promise<string[]> {
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
const hexOf = (bytes: Buffer): string => bytes.toString("hex", 0, 16)

await postgresStore(pool).ready()
const [before = "", between = "", after = ""] = await claimStatement()
const store = postgresStore(pool)
const rows: Record<string, Claim> = {
  postgresStore: (id, endMs) => store.claim(id, endMs),
  "same statement": async (id, endMs) => {
    const hex = hexOf(Buffer.from(id, "base64url"))
    return (await pool.query(before + hex + between + String(endMs) + after)).rows[0]?.verdict === "won"
  },
  "plain INSERT": async (id, endMs) => {
    const values = [Buffer.from(id, "base64url").subarray(0, 16), endMs]
    return (
      (await pool.query("INSERT INTO plain VALUES ($1, $2) ON CONFLICT DO NOTHING", values)).rowCount === 1
    )
  },
}

async function claimsPerSecond(claim: Claim, inFlight: number): Promise<number> {
  const ids = Array.from({ length: CLAIMS }, () => randomBytes(32).toString("base64url"))
  let won = 0
  const start = performance.now()
  const workers = Array.from({ length: inFlight }, async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop())
      if (await claim(id, Date.now() + 131_000)) won++
  })
  await Promise.all(workers)
  if (won !== CLAIMS) throw new Error(`${won} of ${CLAIMS} new ids were claimed`)
  return (CLAIMS / (performance.now() - start)) * 1000
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
for (const inFlight of [1, 16, 64]) {
  const rates = new Map(Object.keys(rows).map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, claim] of Object.entries(rows))
      rates.get(name)?.push(await claimsPerSecond(claim, inFlight))
  }
  for (const [name, values] of rates)
    console.log(`${inFlight} at once  ${name.padEnd(15)} ${Math.round(median(values))}/s`)
}
await pool.end()
await server.close()
