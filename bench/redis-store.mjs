/**
 * redisStore beside the bare client: claims a second; or, with `--full`, memory and waits at 10 k, 1 M and 10 M ids (2 GB).
 * Run with `node bench/redis-store.mjs` after `npm ci --prefix tools/stores`; starts `redis-server`s of its own.
 * Contenders take turns in one process, with the same number of claims under way; a ratio is the median of those within a turn.
 *
 * @module
 */

import { randomBytes } from "node:crypto"
import { rmSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

import { build } from "esbuild"

import { temporaryFolder } from "../tools/temporary-folder.js"
import { startRedisServer } from "./redis-server.mjs"

const AT_ONCE = 64
const TURNS = 25
const CLAIMS_A_TURN = 4000
const LIFE_MS = 131_000
const WAIT_TURNS = 40
const WAITS_A_TURN = 500
const SIZES = [10_000, 1_000_000, 10_000_000]
const FILL_AT_ONCE = 20_000

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))
const installed = createRequire(new URL("../tools/stores/package.json", import.meta.url))
const directory = temporaryFolder("bench")

async function load(entry) {
  const outfile = join(directory, `${entry.replace(/\W/g, "-")}.mjs`)
  await build({ entryPoints: [source(entry)], outfile, bundle: true, platform: "node", format: "esm" })
  return import(pathToFileURL(outfile).href)
}

const children = []

async function startServer() {
  const { port, child } = await startRedisServer(directory)
  children.push(child)
  return { port }
}

/** Runs `one` that many times, with AT_ONCE under way. */
async function run(count, one) {
  let left = count
  const lane = async () => {
    while (left-- > 0) await one()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]
const quantile = (sorted, share) => sorted[Math.floor(sorted.length * share)]
/** Made before the clock starts: randomness is not what is measured. */
const makeIds = (count) => Array.from({ length: count }, () => randomBytes(32).toString("base64url"))
const keysOf = (id) => {
  const start = `{bare:${Buffer.from(id.slice(0, 2) + "AA", "base64url")
    .toString("hex")
    .slice(0, 2)}}:`
  return [`${start}marker`, start + id.slice(0, 22)]
}

/** What each client does without the store: the same script, and the plain command. */
const ioredis = {
  connect: (port, { default: Redis }) => new Redis({ host: "127.0.0.1", port }),
  bare: (client) => ({
    script: ({ sha }, keys, args) => client.evalsha(sha, keys.length, ...keys, ...args),
    plain: (key) => client.set(key, "1", "PX", LIFE_MS, "NX"),
  }),
}
const clients = {
  redis: {
    connect: (port, { createClient }) => createClient({ socket: { host: "127.0.0.1", port } }).connect(),
    bare: (client) => ({
      script: ({ sha }, keys, args) => client.evalSha(sha, { keys, arguments: args }),
      plain: (key) => client.set(key, "1", { condition: "NX", expiration: { type: "PX", value: LIFE_MS } }),
    }),
  },
  ioredis,
  iovalkey: ioredis,
  "@valkey/valkey-glide": {
    connect: (port, { GlideClient }) =>
      GlideClient.createClient({ addresses: [{ host: "127.0.0.1", port }], requestTimeout: 5000 }),
    bare: (client) => ({
      script: ({ sha }, keys, args) =>
        client.customCommand(["EVALSHA", sha, String(keys.length), ...keys, ...args]),
      plain: (key) => client.customCommand(["SET", key, "1", "NX", "PX", String(LIFE_MS)]),
    }),
  },
}
const disconnect = (client) => (client.destroy ?? client.disconnect ?? client.close).call(client)

/** Runs a script for claims that come together, as one call: what a store can do at best. */
function together(send) {
  let waiting = []
  return (id) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ id, resolve, reject }) > 1) return
      queueMicrotask(() => {
        const claims = waiting
        waiting = []
        send(claims.map(({ id }) => id)).then(
          () => claims.forEach(({ resolve }) => resolve()),
          (error) => claims.forEach(({ reject }) => reject(error)),
        )
      })
    })
}

async function compare(name, port, { redisStore }, { CLAIM }) {
  const library = installed(name)
  const client = await clients[name].connect(port, { default: library.default ?? library, ...library })
  const { script, plain } = clients[name].bare(client)
  const store = redisStore(client, { prefix: name.replaceAll(/\W/g, "") })
  await redisStore(client, { prefix: "bare" }).ready()
  await store.ready()
  const claimAll = async (ids) => {
    const now = Date.now()
    const args = [String(now), "5000", ...ids.map(() => String(now + LIFE_MS))]
    const reply = await script(CLAIM, ids.flatMap(keysOf), args)
    if (String(reply[3]) !== "w".repeat(ids.length)) throw new Error(`the bare script gave ${reply}`)
  }
  const contenders = {
    store: (id) => store.claim(id, Date.now() + LIFE_MS),
    "script for each": (id) => claimAll([id]),
    "script for all": together(claimAll),
    "SET NX PX": (id) => plain(keysOf(id)[1]),
  }
  const rates = {}
  const cpu = {}
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [which, claim] of Object.entries(contenders)) {
      const ids = makeIds(CLAIMS_A_TURN)
      const [start, before] = [performance.now(), process.cpuUsage()]
      await run(CLAIMS_A_TURN, () => claim(ids.pop()))
      const { user, system } = process.cpuUsage(before)
      // the first turn warms up
      if (turn === 0) continue
      ;(rates[which] ??= []).push((CLAIMS_A_TURN * 1000) / (performance.now() - start))
      ;(cpu[which] ??= []).push((user + system) / CLAIMS_A_TURN)
    }
  }
  console.log(`${name}, ${AT_ONCE} at once`)
  for (const which of Object.keys(contenders)) {
    const ratio = median(rates[which].map((rate, turn) => rates.store[turn] / rate))
    const rate = median([...rates[which]])
    console.log(
      `  ${which.padEnd(15)} ${String(Math.round(rate)).padStart(7)}/s, store ${ratio.toFixed(2)}x, ` +
        `${median(cpu[which]).toFixed(1)} us of the client's CPU a claim`,
    )
  }
  disconnect(client)
}

/** As the store's keys: a tag of 256, 22 characters, a life. */
const FILL = `
math.randomseed(tonumber(ARGV[1]))
for i = 1, tonumber(ARGV[2]) do
  local id = string.format('%06x%06x%010d', math.random(0, 16777215), math.random(0, 16777215), ARGV[1] + i)
  redis.call('SET', string.format('{full:%02x}:%s', math.random(0, 255), id), 1, 'NX', 'PX', 3600000)
end`

async function fill(size, { redisStore }) {
  const { port } = await startServer()
  const client = ioredis.connect(port, { default: installed("ioredis") })
  const store = redisStore(client, { prefix: "full" })
  await store.ready()
  const usedBytes = async () => Number((await client.info("memory")).match(/used_memory:(\d+)/)[1])
  const emptyBytes = await usedBytes()
  for (let held = 0; held < size; held += FILL_AT_ONCE) {
    await client.eval(FILL, 0, String(held), String(Math.min(FILL_AT_ONCE, size - held)))
  }
  const idBytes = ((await usedBytes()) - emptyBytes) / (await client.dbsize())
  return { size, client, store, idBytes, waits: [] }
}

/** A server for each size, so that they can take turns: one claim at a time. */
async function compareSizes(door) {
  const filled = []
  for (const size of SIZES) filled.push(await fill(size, door))
  for (let turn = 0; turn <= WAIT_TURNS; turn++) {
    for (const { store, waits } of filled) {
      for (const id of makeIds(WAITS_A_TURN)) {
        const start = performance.now()
        await store.claim(id, Date.now() + LIFE_MS)
        if (turn > 0) waits.push((performance.now() - start) * 1000)
      }
    }
  }
  for (const { size, client, idBytes, waits } of filled) {
    waits.sort((a, b) => a - b)
    const [p50, p99] = [quantile(waits, 0.5), quantile(waits, 0.99)]
    console.log(
      `${size} ids: ${idBytes.toFixed(0)} bytes an id, claim p50 ${p50.toFixed(0)} us, p99 ${p99.toFixed(0)} us`,
    )
    disconnect(client)
  }
}

try {
  const door = await load("stores/redis.ts")
  const scripts = await load("stores/redis-scripts.ts")
  const { port } = await startServer()
  if (process.argv.includes("--full")) await compareSizes(door)
  else for (const name of Object.keys(clients)) await compare(name, port, door, scripts)
} finally {
  for (const child of children) child.kill("SIGKILL")
  rmSync(directory, { recursive: true, force: true })
}
