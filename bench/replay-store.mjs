/**
 * memoryStore beside a Map of strings: memory, claims a second, the longest wait, the cost of expiry.
 * Run with `node bench/replay-store.mjs`; takes about a minute and 1 GB. Each row has a process of its own.
 * "no store" answers without looking: its longest wait is what the machine and this script add to the others.
 * "own" figures are time on a CPU, so that other processes do not count, nor a collector's threads that wait for one (Linux
 * only; elsewhere they are wall time). The longest own wait is the most that 1000 claims in a row took: an upper bound.
 * The Map is filled with one million only: ten million take a minute, and at 16.7 million a Map throws.
 *
 * @module
 */

import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

import { temporaryFolder } from "../tools/temporary-folder.js"

/** Few, so that the ids themselves stay out of the collector's way. */
const CHUNK = 1000
/** The life of a claim under the guard's defaults (docs/protocol.md §4). */
const LIFE_MS = 131_000
const DAY_MS = 86_400_000
const START_MS = 1_800_000_000_000

const rows = {
  "memoryStore, 10 M": { kind: "store", live: 10_000_000, lifeMs: LIFE_MS },
  "memoryStore, 10 M over a day": { kind: "store", live: 10_000_000, lifeMs: DAY_MS },
  "memoryStore, 1 M": { kind: "store", live: 1_000_000, lifeMs: LIFE_MS },
  "no store, 10 M": { kind: "none", live: 10_000_000, lifeMs: LIFE_MS },
  "Map, 1 M": { kind: "map", live: 1_000_000, lifeMs: LIFE_MS },
}

/** What a Map of strings would do: the same verb, and a scan to expire. */
function mapStore(clock) {
  const expiries = new Map()
  let nextSweepMs = clock() + 60_000
  return {
    claim(id, expiresAtMs) {
      const nowMs = clock()
      if (nowMs >= nextSweepMs) {
        nextSweepMs = nowMs + 60_000
        for (const [held, endMs] of expiries) if (endMs <= nowMs) expiries.delete(held)
      }
      if (expiries.has(id)) return Promise.resolve(false)
      expiries.set(id, expiresAtMs)
      return Promise.resolve(true)
    },
  }
}

function chunkOfIds() {
  const bytes = randomBytes(32 * CHUNK)
  return Array.from({ length: CHUNK }, (_, i) => bytes.toString("base64url", i * 32, i * 32 + 32))
}

/** Waits, counted in steps of 0.1 µs up to 100 ms. */
function createWaits() {
  const counts = new Uint32Array(1_000_001)
  let total = 0
  let longestMs = 0
  return {
    add(ms) {
      counts[Math.min(1_000_000, Math.floor(ms * 10_000))]++
      total++
      if (ms > longestMs) longestMs = ms
    },
    longestMs: () => longestMs,
    quantileMs(q) {
      let seen = 0
      return counts.findIndex((count) => (seen += count) >= q * total) / 10_000
    },
  }
}

/** Milliseconds that the main thread has been on a CPU. */
function ownTimeMs() {
  if (!existsSync("/proc/self/schedstat")) return performance.now()
  return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[0]) / 1e6
}

function memory() {
  for (let i = 0; i < 3; i++) globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { held: heapUsed + external, rss }
}

/** Claims `count` new ids one after another while `lifeMs` goes by; the ids are made outside the measured time. */
async function fill(store, time, count, lifeMs) {
  const waits = createWaits()
  let busyMs = 0
  let ownMs = 0
  let longestOwnMs = 0
  for (let done = 0; done < count; done += CHUNK) {
    const ids = chunkOfIds()
    const ownStartMs = ownTimeMs()
    const startMs = performance.now()
    let lastMs = startMs
    for (const id of ids) {
      if ((await store.claim(id, time.nowMs + lifeMs)) !== true) throw new Error("a new id was refused")
      const nowMs = performance.now()
      waits.add(nowMs - lastMs)
      lastMs = nowMs
      time.nowMs += lifeMs / count
    }
    const chunkMs = ownTimeMs() - ownStartMs
    busyMs += lastMs - startMs
    ownMs += chunkMs
    longestOwnMs = Math.max(longestOwnMs, chunkMs)
  }
  return {
    perSecond: (count / busyMs) * 1000,
    ownPerSecond: (count / ownMs) * 1000,
    longestMs: waits.longestMs(),
    longestOwnMs,
    p9999Ms: waits.quantileMs(0.9999),
  }
}

async function measure({ kind, live, lifeMs }, storeModule) {
  const { memoryStore } = await import(storeModule)
  const time = { nowMs: START_MS }
  // the system's clock is read as well, as it would be
  const clock = () => time.nowMs + Math.min(0, Date.now())
  const create = {
    store: () => memoryStore({ maxEntries: live * 2, clock }),
    map: () => mapStore(clock),
    none: () => ({ claim: () => Promise.resolve(true) }),
  }[kind]
  await fill(create(), time, 100_000, lifeMs)
  const store = create()
  const before = memory()
  const filled = await fill(store, time, live, lifeMs)
  const after = memory()
  // as many again while the first expire: the state that a busy server is in
  const steady = await fill(store, time, live, lifeMs)
  const [id] = chunkOfIds()
  // half of what is live expires at once
  time.nowMs += lifeMs / 2
  const startMs = performance.now()
  await store.claim(id, time.nowMs + lifeMs)
  return {
    bytesPerId: (after.held - before.held) / live,
    rssPerId: (after.rss - before.rss) / live,
    filled,
    steady,
    expiryMs: performance.now() - startMs,
  }
}

async function bundleStore(directory) {
  const { build } = await import("esbuild")
  const outfile = join(directory, "memory-store.mjs")
  const entry = fileURLToPath(new URL("../src/replay/memory-store.ts", import.meta.url))
  await build({ entryPoints: [entry], outfile, bundle: true, format: "esm", target: "es2022" })
  return pathToFileURL(outfile).href
}

const speed = ({ perSecond, ownPerSecond }) =>
  `${Math.round(perSecond / 1000)} k (own ${Math.round(ownPerSecond / 1000)} k)`
const waits = ({ longestMs, longestOwnMs, p9999Ms }) =>
  `${longestMs.toFixed(1)} (own ${longestOwnMs.toFixed(1)}), p99.99 ${p9999Ms.toFixed(3)}`

function show(results) {
  const table = {}
  for (const [name, { bytesPerId, rssPerId, filled, steady, expiryMs }] of Object.entries(results)) {
    table[name] = {
      "bytes/id": `${bytesPerId.toFixed(0)} (rss ${rssPerId.toFixed(0)})`,
      "filling: claims/s": speed(filled),
      "longest wait, ms": waits(filled),
      "expiring: claims/s": speed(steady),
      "longest wait, ms ": waits(steady),
      "expiry of half, ms": expiryMs.toFixed(2),
    }
  }
  console.log(`Node ${process.versions.node}`)
  console.table(table)
  const store = results["memoryStore, 1 M"]
  const map = results["Map, 1 M"]
  console.log("memoryStore against Map, 1 M each:", {
    bytes: (store.bytesPerId / map.bytesPerId).toFixed(2),
    ownClaimsPerSecond: (store.filled.ownPerSecond / map.filled.ownPerSecond).toFixed(2),
    longestOwnWaitExpiring: (store.steady.longestOwnMs / map.steady.longestOwnMs).toFixed(3),
    expiry: (store.expiryMs / map.expiryMs).toFixed(5),
  })
}

async function main() {
  const directory = temporaryFolder("bench")
  try {
    const storeModule = await bundleStore(directory)
    const results = {}
    for (const name of Object.keys(rows)) {
      const child = ["--expose-gc", fileURLToPath(import.meta.url), name, storeModule]
      results[name] = JSON.parse(execFileSync(process.execPath, child, { encoding: "utf8" }))
    }
    show(results)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const [rowName, storeModule] = process.argv.slice(2)
if (rowName === undefined) await main()
else console.log(JSON.stringify(await measure(rows[rowName], storeModule)))
