/**
 * Opens sessions over HTTP as fast as the key pool makes pairs, then at twenty times that, while other sessions go on:
 *
 *     node bench/session-openings.mjs [--seconds 60] [--modulus-bits 2048] [--pool 64] [--share 0.8] [--profile]
 *
 * The server is a process of its own, with one key pool and no rate limits; its event loop is watched by `perf_hooks`. First it makes
 * pairs alone, which gives the pool's rate. Then clients open sessions at a steady rate, `--share` of that one, and not one may be
 * refused; then at twenty times the rate, where the surplus must be told when to come again, and sessions that are open
 * must notice nothing. What other work the machine has, it has in all three.
 *
 * @module
 */

import { fork } from "node:child_process"
import { rmSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import { build } from "esbuild"

import { temporaryFolder } from "../tools/temporary-folder.js"
import { renderMachine } from "./envelope/report.mjs"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    "modulus-bits": { type: "string", default: "2048" },
    pool: { type: "string", default: "64" },
    share: { type: "string", default: "1" },
    profile: { type: "boolean", default: false },
    serve: { type: "string" },
  },
})
const SECONDS = Number(values.seconds)
const SHARE = Number(values.share)
const POOL = Number(values.pool)
const LIVE_SESSIONS = 4
const LIVE_EVERY_MS = 40
/** Pairs take between a fifth and the double of their mean: so many full pools say how fast they are made. */
const FILLS = 4
const SURPLUS = 20

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

async function load(directory) {
  const outfile = join(directory, "sealwire.mjs")
  const doors = ["index", "keys", "server", "client", "session", "adapters/node"]
  const contents = doors.map((door) => `export * from "./${door}.ts"`).join("\n")
  const alias = { "#backend": source("crypto/node.ts"), "#base64url": source("base/base64url-node.ts") }
  const stdin = { contents, resolveDir: source(""), loader: "ts" }
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", alias, logLevel: "error" })
  return outfile
}

/** The server: says where it is and whom to pin, then answers `measure` by what its event loop did since the last. */
async function serve(modulePath) {
  const sealwire = await import(pathToFileURL(modulePath).href)
  const { createEndpoint, createKeyPool, createListener, createReplayGuard, createSessions } = sealwire
  const { generateKeyPair, generateSigningKeyPair, memoryStore } = sealwire
  const { signingKey: identity } = await generateSigningKeyPair()
  const { privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const server = createServer()
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  const origin = `http://127.0.0.1:${server.address().port}`
  let made = 0
  let depth = 0
  const onDepth = (now) => {
    if (now > depth) made++
    depth = now
  }
  const modulusBits = Number(values["modulus-bits"])
  const keyPool = createKeyPool({ size: POOL, modulusBits, onDepth })
  const sessions = createSessions({ identity, keyPool })
  const endpoint = createEndpoint({
    ...{ origin, keys: privateKey, directory: { identity }, sessions, limits: false },
    replay: createReplayGuard({ store: memoryStore() }),
    routes: { "POST /echo": "high" },
  })
  server.on(
    "request",
    createListener(endpoint, async (request) => new Response(await request.text())),
  )

  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  process.on("message", async (question) => {
    if (question === "fill") await sessions.ready()
    const report = { made, depth, loopP99: loop.percentile(99) / 1e6, loopMax: loop.max / 1e6 }
    if (question === "drain") while (keyPool.depth > 0) keyPool.take()
    loop.reset()
    made = 0
    process.send(report)
  })
  process.on("disconnect", () => process.exit(0))
  process.send({ origin, pin: identity.kid })
}

const nextMessage = (child) => new Promise((resolve) => child.once("message", resolve))

const quantile = (times, q) => {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

/** Calls `task` at steady times, whether or not the ones before have ended, and waits for all. */
async function atRate(perSecond, seconds, task) {
  const running = []
  const start = performance.now()
  for (let i = 0; i < perSecond * seconds; i++) {
    const waitMs = start + (i * 1000) / perSecond - performance.now()
    if (waitMs > 1) await sleep(waitMs)
    running.push(task())
  }
  return Promise.all(running)
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Posts as cheaply as Node can: the clients of a flood are on the server's own machine here. */
function post(url, type, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": type, "content-length": body.length }
    const asked = request(url, { method: "POST", agent, headers }, (response) => {
      const chunks = []
      response.on("data", (chunk) => chunks.push(chunk))
      response.on("end", () => {
        const { statusCode: status, headers: given } = response
        resolve({ status, retryAfter: given["retry-after"], text: Buffer.concat(chunks).toString() })
      })
    })
    asked.on("error", reject)
    asked.end(body)
  })
}

/** Opens one session; what became of it. */
async function openOne({ openSession }, { origin, pin }) {
  let last
  const ask = async (path, type, body) => {
    last = await post(`${origin}/.well-known/sealwire/sessions${path}`, type, body)
    if (last.status !== 200) throw last
    return last.text
  }
  const transport = {
    offer: (hello) => ask("", "application/json", hello),
    open: (id, opening) => ask(`/${id}`, "application/jose", opening),
  }
  try {
    await openSession({ pins: [pin], origin, transport })
    return last
  } catch (error) {
    return error === last ? last : { status: String(error) }
  }
}

/** Sessions that are open, and go on until they are told to stop; gives how long their messages took. */
async function openLive({ createClient }, { origin, pin }) {
  const clients = Array.from({ length: LIVE_SESSIONS }, () =>
    createClient({ baseUrl: origin, pins: [pin], session: true, retry: { attempts: 1 } }),
  )
  const body = "x".repeat(512)
  const send = async (client) => {
    const start = performance.now()
    await (await client.fetch("/echo", { method: "POST", body })).text()
    return performance.now() - start
  }
  for (const client of clients) await send(client)
  return async (during) => {
    const times = []
    let isOver = false
    const loops = clients.map(async (client) => {
      while (!isOver) {
        times.push(await send(client))
        await sleep(LIVE_EVERY_MS)
      }
    })
    const result = await during()
    isOver = true
    await Promise.all(loops)
    return { times, result }
  }
}

const bar = (holds, text) => console.log(`- ${holds ? "Holds" : "**Falls short**"}: ${text}`)

function printPhase(name, { times, result = [] }, { made, depth, loopP99, loopMax }) {
  const opened = result.filter(({ status }) => status === 200).length
  const cells = [name, result.length, opened, result.length - opened, made, depth]
  const delays = [quantile(times, 0.5), quantile(times, 0.99), loopP99, loopMax].map((ms) => ms.toFixed(1))
  console.log(`| ${[...cells, ...delays].join(" | ")} |`)
}

/** Pairs a second, while nobody takes any. */
async function measurePool(ask) {
  await ask("fill")
  const startMs = performance.now()
  let pairs = 0
  for (let i = 0; i < FILLS; i++) {
    await ask("drain")
    pairs += (await ask("fill")).made
  }
  return pairs / ((performance.now() - startMs) / 1000)
}

async function main() {
  const directory = temporaryFolder("openings")
  const modulePath = await load(directory)
  const args = process.argv.slice(2).filter((each) => each !== "--profile")
  const execArgv = values.profile ? ["--cpu-prof", "--cpu-prof-dir=.cpu-profiles"] : []
  const child = fork(fileURLToPath(import.meta.url), [...args, "--serve", modulePath], { execArgv })
  const ask = async (question) => {
    child.send(question)
    return nextMessage(child)
  }
  try {
    const where = await nextMessage(child)
    const sealwire = await import(pathToFileURL(modulePath).href)
    console.log(renderMachine())
    const rate = await measurePool(ask)
    console.log(
      `Pool of ${POOL} pairs of ${values["modulus-bits"]} bits, made alone: ${rate.toFixed(1)} a second\n`,
    )
    const withLive = await openLive(sealwire, where)
    await ask("fill")

    console.log(
      "| | asked | opened | refused | pairs made | pool at end | message p50 ms | p99 ms | loop p99 ms | max ms |",
    )
    console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    const phase = async (name, during) => {
      const outcome = await withLive(during)
      const report = await ask("measure")
      printPhase(name, outcome, report)
      return { ...outcome, ...report }
    }
    const open = () => openOne(sealwire, where)
    const quiet = await phase("quiet", () => sleep(SECONDS * 250).then(() => []))
    const steady = await phase(`${SHARE} × the pool's rate`, () => atRate(rate * SHARE, SECONDS, open))
    await ask("fill")
    const surplus = await phase(`${SURPLUS} × the pool's rate`, () =>
      atRate(rate * SURPLUS, SECONDS / 3, open),
    )
    judge(quiet, steady, surplus)
  } finally {
    child.disconnect()
    agent.destroy()
    rmSync(directory, { recursive: true, force: true })
  }
}

function judge(quiet, steady, surplus) {
  const refused = (phase) => phase.result.filter(({ status }) => status !== 200)
  const told = refused(surplus).filter(({ status, retryAfter }) => status === 503 && Number(retryAfter) >= 1)
  const ratio = quantile(surplus.times, 0.99) / quantile(quiet.times, 0.99)
  console.log("")
  bar(refused(steady).length === 0, `${refused(steady).length} refused at the steady rate, bar 0`)
  bar(
    told.length > 0 && told.length === refused(surplus).length,
    `${told.length} of ${refused(surplus).length} that were refused at ${SURPLUS} × got 503 and Retry-After, bar all`,
  )
  bar(ratio <= 1.5, `messages of open sessions took ${ratio.toFixed(2)} × their quiet p99 meanwhile, bar 1.5`)
  bar(surplus.loopP99 < 50, `event loop delay p99 ${surplus.loopP99.toFixed(1)} ms, bar 50`)
}

if (values.serve) await serve(values.serve)
else await main()
