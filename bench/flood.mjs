/**
 * Good clients while a server is flooded: 1,000 bad requests a second for 30 s, from 5,000 sources, beside 50 clients that go on working.
 *
 *     node bench/flood.mjs [--rate 1000] [--seconds 30] [--clients 50] [--think-ms 250]
 *
 * Server, clients and flood are processes of their own. The clients are timed twice in quiet, before and after the flood; the bar is on
 * p99 under flood to p99 of both quiet times together. Every source stays below its limit, so that each bad request has to be read: a
 * flood from few sources is cheaper. Only ratios mean anything on a shared machine.
 *
 * @module
 */

import { fork } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import { join } from "node:path"
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import { build } from "esbuild"

import { temporaryFolder } from "../tools/temporary-folder.js"
import { createSender } from "./raw-requests.mjs"

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "30" },
    "quiet-seconds": { type: "string", default: "15" },
    clients: { type: "string", default: "50" },
    "think-ms": { type: "string", default: "250" },
    role: { type: "string" },
    module: { type: "string" },
    profile: { type: "string" },
  },
})
const RATE = Number(values.rate)
const SECONDS = Number(values.seconds)
const QUIET_SECONDS = Number(values["quiet-seconds"])
const CLIENTS = Number(values.clients)
const THINK_MS = Number(values["think-ms"])
const SOURCES = 5000
const TICK_MS = 1
const MAX_MESSAGE_BYTES = 1_048_576
const ORIGIN = "https://api.example.com"
const PATH = "/transfers"
const BAR = 3

const root = fileURLToPath(new URL("..", import.meta.url))

async function bundle(directory) {
  const outfile = join(directory, "sealwire.mjs")
  const doors = ["index", "keys", "server", "client", "adapters/node"].map((door) => `./src/${door}.ts`)
  const contents = [...doors, "./test/support/flood.ts"].map((path) => `export * from "${path}"`).join("\n")
  const alias = { "#backend": "./src/crypto/node.ts", "#base64url": "./src/base/base64url-node.ts" }
  await build({
    ...{ absWorkingDir: root, stdin: { contents, resolveDir: root, loader: "ts" }, outfile, alias },
    ...{ bundle: true, platform: "node", format: "esm", logLevel: "error" },
  })
  return outfile
}

const nextMessage = (child) =>
  new Promise((resolve, reject) => {
    const fail = () => reject(new Error("a process ended before it had told what it was asked"))
    child.once("exit", fail)
    child.once("message", (message) => {
      child.off("exit", fail)
      resolve(message)
    })
  })

/** What a process's main thread had of the processors, and how long it waited for one, in milliseconds; only Linux tells. */
function processorOf(pid) {
  try {
    const [ranNs = 0, waitedNs = 0] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ").map(Number)
    return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 }
  } catch {
    return { ranMs: NaN, waitedMs: NaN }
  }
}

/** Watches what keeps the event loop: garbage collections, and by how much timers of a millisecond are late. */
function watchPauses() {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let collections = []
  const observer = new PerformanceObserver((list) => {
    collections.push(...list.getEntries().map(({ duration }) => duration))
  })
  observer.observe({ entryTypes: ["gc"] })
  return {
    take() {
      const taken = {
        delayP99Ms: delay.percentile(99) / 1e6,
        gcMs: sum(collections),
        gcMostMs: Math.max(0, ...collections),
      }
      collections = []
      delay.reset()
      return taken
    },
  }
}

/** Tells what came and what was emitted, in numbers. */
async function runServer({
  createEndpoint,
  createListener,
  createReplayGuard,
  exportJwk,
  generateKeyPair,
  memoryStore,
}) {
  const carriedOut = new Map()
  const emitted = {}
  const refusals = {}
  const bySecond = new Map()
  const note = (table, name, count = 1) => (table[name] = (table[name] ?? 0) + count)
  const { privateKey, publicKey } = await generateKeyPair({ modulusBits: 2048 })
  const endpoint = createEndpoint({
    origin: ORIGIN,
    keys: privateKey,
    replay: createReplayGuard({ store: memoryStore() }),
    routes: { [`POST ${PATH}`]: "medium" },
    trustedProxies: ["127.0.0.1"],
    limits: { bySource: { medium: 1000 } },
    maxMessageBytes: MAX_MESSAGE_BYTES,
    onEvent(event) {
      note(emitted, event.type)
      const second = Math.floor(event.at / 1000)
      bySecond.set(second, (bySecond.get(second) ?? 0) + 1)
      if (event.type === "refused") note(refusals, `${event.status} ${event.code ?? ""}`.trim())
      if (event.type === "problem") note(refusals, event.problem)
      if (event.type === "suppressed") note(refusals, `not told one by one, of ${event.of}`, event.count)
    },
  })
  const handler = async (inner) => {
    const { number } = await inner.json()
    carriedOut.set(number, (carriedOut.get(number) ?? 0) + 1)
    return Response.json({ number, state: "accepted" })
  }
  const server = createServer(createListener(endpoint, handler))
  // the flood opens more connections at once than Node lets wait by default, and what is dropped there comes again after seconds
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, async () => {
    process.send({ port: server.address().port, jwk: await exportJwk(publicKey) })
  })
  const pauses = watchPauses()
  process.on("message", () => {
    const { user, system } = process.cpuUsage()
    const paused = pauses.take()
    for (let i = 0; i < 3; i++) globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    const counts = { good: carriedOut.size, most: Math.max(0, ...carriedOut.values()) }
    const mostInASecond = Math.max(0, ...bySecond.values())
    const spent = { cpuMs: (user + system) / 1000, ...processorOf(process.pid) }
    process.send({ rss, heapUsed, external, spent, paused, emitted, refusals, mostInASecond, counts })
  })
  process.on("disconnect", () => process.exit(0))
}

/** A `fetch` over one connection that stays, as clients on machines of their own have it. */
function overOneConnection(port, source) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const forwarded = { "x-forwarded-for": source, "x-forwarded-proto": "https" }
      const options = {
        method,
        agent,
        headers: { ...Object.fromEntries(new Headers(headers)), ...forwarded },
      }
      const outgoing = request(`http://127.0.0.1:${port}${new URL(url).pathname}`, options, (incoming) => {
        const chunks = []
        incoming.on("data", (chunk) => chunks.push(chunk))
        incoming.on("error", reject)
        incoming.on("end", () => {
          resolve(
            new Response(Buffer.concat(chunks), { status: incoming.statusCode, headers: incoming.headers }),
          )
        })
      })
      outgoing.on("error", reject)
      outgoing.end(body)
    })
}

/** Good clients: each asks, and thinks, until told to stop. */
function runClients({ createClient, importPublicKey }) {
  let number = 0
  async function work(client, until, times, failures) {
    await wait(Math.random() * THINK_MS)
    while (performance.now() < until) {
      const began = performance.now()
      const mine = ++number
      try {
        const response = await client.fetch(PATH, { method: "POST", body: JSON.stringify({ number: mine }) })
        if (response.status !== 200 || (await response.json()).number !== mine)
          failures.push(String(response.status))
      } catch (error) {
        failures.push(String(error))
      }
      times.push(performance.now() - began)
      await wait(THINK_MS * (0.5 + Math.random()))
    }
  }
  let clients
  process.on("message", async ({ port, jwk, seconds }) => {
    const keys = await importPublicKey(jwk)
    const before = processorOf(process.pid)
    const until = performance.now() + seconds * 1000
    const times = []
    const failures = []
    clients ??= Array.from({ length: CLIENTS }, (_, at) =>
      createClient({
        baseUrl: ORIGIN,
        keys,
        fetch: overOneConnection(port, `192.0.2.${at}`),
        retry: { attempts: 1 },
      }),
    )
    await Promise.all(clients.map((client) => work(client, until, times, failures)))
    process.send({ times, failures, sent: number, spent: since(before, processorOf(process.pid)) })
  })
  process.on("disconnect", () => process.exit(0))
}

/** Sends at a rate, whatever comes back: each request at a moment of its own, as from many who know nothing of each other. */
function runFlood({ importPublicKey, makeFlood }) {
  const sourceOf = (count) => `10.${(count % SOURCES) >> 8}.${(count % SOURCES) & 255}.1`
  let flood
  let sender
  const send = ({ body, saysBytes }, source) => {
    const forwarded = { "x-forwarded-for": source, "x-forwarded-proto": "https" }
    return sender.send(PATH, { "content-type": "application/jose", ...forwarded }, body, saysBytes)
  }
  async function prepare({ port, jwk }) {
    const publicKey = await importPublicKey(jwk)
    flood = await makeFlood({ origin: ORIGIN, path: PATH, publicKey, maxMessageBytes: MAX_MESSAGE_BYTES })
    sender = createSender(port)
    let accepted = 0
    for (const body of flood.originals) {
      if ((await send({ body, saysBytes: body.length }, sourceOf(0))) === 200) accepted++
    }
    process.send({ accepted })
  }
  async function go(seconds) {
    const tally = {}
    const pending = new Set()
    const before = processorOf(process.pid)
    const start = performance.now()
    let sent = 0
    let dueMs = 0
    for (let now = 0; now < seconds * 1000; now = performance.now() - start) {
      // the gaps of a Poisson process
      for (; dueMs < now; dueMs += (-Math.log(1 - Math.random()) * 1000) / RATE) {
        const bad = flood.next()
        const answered = send(bad, sourceOf(sent++)).then((status) => {
          const name = `${bad.kind}: ${status || "cut off"}`
          tally[name] = (tally[name] ?? 0) + 1
          pending.delete(answered)
        })
        pending.add(answered)
      }
      await wait(TICK_MS)
    }
    const took = (performance.now() - start) / 1000
    await Promise.all(pending)
    process.send({ sent, rate: sent / took, tally, spent: since(before, processorOf(process.pid)) })
  }
  process.on("message", ({ seconds, ...target }) => (seconds ? go(seconds) : prepare(target)))
  process.on("disconnect", () => process.exit(0))
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0)
/** What was spent between two moments. */
const since = (before, after) =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]))
const quantile = (times, q) => {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
}
const figures = (times) =>
  `p50 ${quantile(times, 0.5).toFixed(1)} ms, p99 ${quantile(times, 0.99).toFixed(1)} ms`
const megabytes = (bytes) => (bytes / 1e6).toFixed(1)
const table = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `  ${name.padEnd(40)}${String(count).padStart(8)}`)
    .join("\n")

async function run(start) {
  const server = start("server", ["--expose-gc"])
  const { port, jwk } = await nextMessage(server)
  const clients = start("clients")
  const flood = start("flood")
  const reportOf = (child, message) => {
    const answer = nextMessage(child)
    child.send(message)
    return answer
  }
  const work = (seconds) => reportOf(clients, { port, jwk, seconds })

  await work(3)
  const began = await reportOf(server, "report")
  const quiet = [await work(QUIET_SECONDS)]
  const calm = await reportOf(server, "report")
  const { accepted } = await reportOf(flood, { port, jwk })
  const before = await reportOf(server, "report")
  const flooded = reportOf(flood, { seconds: SECONDS })
  const under = await work(SECONDS)
  const done = await flooded
  await wait(1500)
  const after = await reportOf(server, "report")
  quiet.push(await work(QUIET_SECONDS))
  const end = await reportOf(server, "report")
  return { began, calm, before, accepted, under, done, after, quiet, end }
}

/** Where the time went: on a machine that the flood shares with the server, some of it goes to waiting for the other. */
function printSpent({ began, calm, before, under, done, after, quiet }) {
  const server = since(before.spent, after.spent)
  const goodMs = since(began.spent, calm.spent).cpuMs / quiet[0].times.length
  const badMs = (server.cpuMs - goodMs * under.times.length) / done.sent
  console.log(`server's processor time: ${(server.cpuMs / 10 / SECONDS).toFixed(0)} % of a core under flood`)
  console.log(
    `  ${goodMs.toFixed(2)} ms for a good request in quiet, so ${badMs.toFixed(2)} ms for a bad one`,
  )
  for (const [name, { ranMs, waitedMs }] of Object.entries({
    server,
    clients: under.spent,
    flood: done.spent,
  })) {
    const share = (ms) => `${(ms / 10 / SECONDS).toFixed(0)} %`
    console.log(
      `  main thread of ${name} under flood: ran ${share(ranMs)}, waited for a processor ${share(waitedMs)}`,
    )
  }
  for (const [name, { delayP99Ms, gcMs, gcMostMs }] of Object.entries({
    quiet: calm.paused,
    flood: after.paused,
  })) {
    const collected = `collections took ${gcMs.toFixed(0)} ms, ${gcMostMs.toFixed(1)} at most`
    console.log(`  event loop in ${name}: late by ${delayP99Ms.toFixed(1)} ms (p99); ${collected}`)
  }
}

function print({ began, calm, before, accepted, under, done, after, quiet, end }) {
  const quietTimes = quiet.flatMap(({ times }) => times)
  const failures = [...quiet, under].flatMap((each) => each.failures)
  const ratio = quantile(under.times, 0.99) / quantile(quietTimes, 0.99)
  console.log(`Node ${process.version}, ${CLIENTS} clients, RSA-2048`)
  console.log(`flood: ${done.sent} bad requests, ${done.rate.toFixed(0)} a second for ${SECONDS} s`)
  for (const [name, { times }] of Object.entries({ "quiet before": quiet[0], "quiet after": quiet[1] })) {
    console.log(`good clients, ${name}: ${figures(times)} (${times.length} requests)`)
  }
  console.log(`good clients, under flood:  ${figures(under.times)} (${under.times.length} requests)`)
  console.log(`p99 under flood to quiet: ${ratio.toFixed(2)} (bar ${BAR}) ${ratio < BAR ? "ok" : "TOO SLOW"}`)
  const last = quiet.at(-1)
  console.log(
    `good requests: ${last.sent} sent, ${end.counts.good - 1} carried out, each at most ${end.counts.most === accepted ? "once" : end.counts.most}; ${failures.length} failed`,
  )
  for (const [name, { rss, heapUsed, external }] of Object.entries({ before, after, end })) {
    console.log(
      `server's memory ${name}: RSS ${megabytes(rss)}, heap ${megabytes(heapUsed)}, external ${megabytes(external)} MB`,
    )
  }
  printSpent({ began, calm, before, under, done, after, quiet })
  console.log(`events emitted, at most ${after.mostInASecond} in a second:\n${table(end.emitted)}`)
  console.log(`refusals as told to the operator:\n${table(end.refusals)}`)
  console.log(`answers to bad requests:\n${table(done.tally)}`)
  if (failures.length > 0) console.log([...new Set(failures)].slice(0, 5).join("\n"))
  if (!(ratio < BAR) || failures.length > 0 || end.counts.good - 1 !== last.sent) process.exitCode = 1
}

async function main() {
  const directory = temporaryFolder("flood")
  const children = []
  try {
    const modulePath = await bundle(directory)
    const start = (role, execArgv = []) => {
      const profiling =
        role === "server" && values.profile ? ["--cpu-prof", `--cpu-prof-dir=${values.profile}`] : []
      const args = ["--role", role, "--module", modulePath, ...process.argv.slice(2)]
      const child = fork(fileURLToPath(import.meta.url), args, { execArgv: [...execArgv, ...profiling] })
      children.push(child)
      return child
    }
    print(await run(start))
  } finally {
    for (const child of children) child.disconnect()
    rmSync(directory, { recursive: true, force: true })
  }
}

const roles = { server: runServer, clients: runClients, flood: runFlood }
if (values.role) await roles[values.role](await import(pathToFileURL(values.module).href))
else await main()
