/**
 * `open` with 1, 2 and 4 server processes that share one Redis: envelopes of 1 KiB for an RSA-2048 key, each opened once.
 * Run with `node bench/open-fleet.mjs` after `npm run build` and `npm ci --prefix tools/stores`; takes a minute.
 *
 * Processes start, and envelopes are sealed and handed out, before the clock starts. Each process has 16 opens in flight. "cores" is the
 * time of all their threads by the time that passed. One process already opens on all threads of its pool, so a row says
 * how many those are: with one, the curve is that of processes.
 *
 * @module
 */

import { fork } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { rmSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import { createReplayGuard, importPrivateKey, importPublicKey, open, seal } from "../dist/index.js"
import { redisStore } from "../dist/stores/redis.js"
import { temporaryFolder } from "../tools/temporary-folder.js"
import { startRedisServer } from "./redis-server.mjs"

const FLEETS = [1, 2, 4]
const THREADS = [1, 4]
const IN_FLIGHT = 16
const ENVELOPES = 2400
const ROUNDS = 7
const PREFIX = "fleet"
const MESSAGE = new Uint8Array(1024).fill(0x61)

const Redis = createRequire(new URL("../tools/stores/package.json", import.meta.url))("ioredis")
const connect = (port) => new Redis({ host: "127.0.0.1", port })

/** What each server process runs: takes envelopes, opens them when told to, and says what processor time that took. */
async function serve(port, pem) {
  const store = redisStore(connect(port), { prefix: PREFIX })
  await store.ready()
  const replay = createReplayGuard({ store })
  const key = await importPrivateKey(pem)
  let envelopes = []
  process.on("disconnect", () => process.exit())
  process.on("message", async (message) => {
    if (message !== "go") {
      envelopes = message
      process.send("holds")
      return
    }
    const before = process.cpuUsage()
    const lane = async () => {
      for (let envelope = envelopes.pop(); envelope !== undefined; envelope = envelopes.pop())
        await open(envelope, { with: key, replay })
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
    const { user, system } = process.cpuUsage(before)
    process.send(user + system)
  })
  process.send("runs")
}

const answer = (child) =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a server process ended"))
    child.once("exit", ended)
    child.once("message", (message) => {
      child.off("exit", ended)
      resolve(message)
    })
  })
const ask = (fleet, messageFor) =>
  Promise.all(
    fleet.map((child, i) => {
      child.send(messageFor(i))
      return answer(child)
    }),
  )

async function openAll(fleet, recipient) {
  const envelopes = await Promise.all(
    Array.from({ length: ENVELOPES }, () => seal(MESSAGE, { to: recipient })),
  )
  await ask(fleet, (i) => envelopes.filter((_, n) => n % fleet.length === i))
  const start = performance.now()
  const cpuMicros = await ask(fleet, () => "go")
  const micros = (performance.now() - start) * 1000
  return {
    rate: (ENVELOPES * 1e6) / micros,
    cores: cpuMicros.reduce((sum, each) => sum + each) / micros,
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]

async function measure(port, recipient, privateKey, threads) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(threads) }
  const script = fileURLToPath(import.meta.url)
  const all = Array.from({ length: Math.max(...FLEETS) }, () =>
    fork(script, [String(port), privateKey], { env }),
  )
  try {
    await Promise.all(all.map(answer))
    const samples = FLEETS.map(() => [])
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, size] of FLEETS.entries()) {
        const sample = await openAll(all.slice(0, size), recipient)
        // the first round warms up
        if (round > 0) samples[i].push(sample)
      }
    }
    for (const [i, size] of FLEETS.entries()) {
      const ratio = median(samples[i].map(({ rate }, round) => rate / samples[0][round].rate))
      const [rate, cores] = ["rate", "cores"].map((name) => median(samples[i].map((sample) => sample[name])))
      const perCore = median(samples[i].map((sample) => sample.rate / sample.cores))
      console.log(
        `pool of ${threads}, ${size} processes: ${Math.round(rate)} opens/s, ${ratio.toFixed(2)}x one process, ` +
          `${cores.toFixed(2)} cores, ${Math.round(perCore)} opens per second of a core`,
      )
    }
  } finally {
    for (const child of all) child.kill()
  }
}

/** As if the store had been there for ten minutes: a new one is quarantined. */
const BACKDATE = `
for _, key in ipairs(redis.call('KEYS', '*:marker')) do
  redis.call('SET', key, (redis.call('GET', key):gsub('%d+$', function(since) return since - 600000 end)))
end`

async function drive() {
  const directory = temporaryFolder("bench")
  const { port, child } = await startRedisServer(directory)
  try {
    const client = connect(port)
    await redisStore(client, { prefix: PREFIX }).ready()
    await client.eval(BACKDATE, 0)
    client.disconnect()
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    })
    const recipient = await importPublicKey(publicKey)
    console.log(`${availableParallelism()} cores`)
    for (const threads of THREADS) await measure(port, recipient, privateKey, threads)
  } finally {
    child.kill("SIGKILL")
    rmSync(directory, { recursive: true, force: true })
  }
}

await (process.send ? serve(Number(process.argv[2]), process.argv[3]) : drive())
