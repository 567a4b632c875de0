/**
 * Sealed HTTP over loopback, message by message and in a session, beside the same app without sealing, and beside the same app with
 * jose glued in by hand: 10,000 requests each, 64 in flight, one server process and one client process. Without sealing means two
 * things: `open`, the same endpoint with the route at level `low`, asked by `fetch`; and `plain`, no endpoint at all.
 *
 *     node bench/http.mjs [--requests 10000] [--in-flight 64] [--body 512] [--only plain,session]
 *
 * They take turns of 500 requests in one run; each request carries a number, and the server counts what it carried out: none
 * may be lost, none doubled. Beside the rates it tells the processor time of both ends, which other work on the machine distorts
 * less. Needs `npm ci --prefix bench`.
 *
 * @module
 */

import { fork } from "node:child_process"
import { rmSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import { getRequestListener } from "@hono/node-server"
import { build } from "esbuild"
import {
  CompactEncrypt,
  compactDecrypt,
  exportJWK,
  generateKeyPair as generateJosePair,
  importJWK,
} from "jose"

import { temporaryFolder } from "../tools/temporary-folder.js"

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    "in-flight": { type: "string", default: "64" },
    body: { type: "string", default: "512" },
    only: { type: "string", default: "plain,open,jose,sealed,session" },
    serve: { type: "string" },
  },
})
const REQUESTS = Number(values.requests)
const IN_FLIGHT = Number(values["in-flight"])
const TURN = 500
const MAX_AGE_SECONDS = 120

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

async function load(directory) {
  const outfile = join(directory, "sealwire.mjs")
  const doors = ["index", "keys", "server", "client", "session", "adapters/node"].map(
    (door) => `export * from "./${door}.ts"`,
  )
  const stdin = { contents: doors.join("\n"), resolveDir: source(""), loader: "ts" }
  const alias = { "#backend": source("crypto/node.ts"), "#base64url": source("base/base64url-node.ts") }
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", alias, logLevel: "error" })
  return outfile
}

/** What the application does in all three cases. */
const transfer = (counts, { number }) => {
  counts.set(number, (counts.get(number) ?? 0) + 1)
  return { number, state: "accepted", balance: 1234.5 }
}

const listen = (server) =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`))
  })

/** Serves a handler of Web requests by the quickest adapter there is. */
const serveWeb = (handler) =>
  listen(createServer(getRequestListener(handler, { overrideGlobalObjects: false })))

/** The same app, with what a team would write by hand: jose, a time, and a map of nonces. */
async function joseApp(counts) {
  const { publicKey, privateKey } = await generateJosePair("RSA-OAEP-256", {
    modulusLength: 2048,
    extractable: true,
  })
  const seen = new Map()
  const handler = async (request) => {
    const { plaintext } = await compactDecrypt(await request.text(), privateKey)
    const { time, nonce, replyKey, message } = JSON.parse(new TextDecoder().decode(plaintext))
    const now = Date.now()
    if (Math.abs(now - time) > MAX_AGE_SECONDS * 1000 || seen.has(nonce))
      return new Response(null, { status: 400 })
    seen.set(nonce, now)
    const answer = new TextEncoder().encode(JSON.stringify(transfer(counts, message)))
    const reply = new CompactEncrypt(answer).setProtectedHeader({ alg: "dir", enc: "A256GCM" })
    return new Response(await reply.encrypt(Buffer.from(replyKey, "base64url")))
  }
  return { origin: await serveWeb(handler), jwk: await exportJWK(publicKey) }
}

/** Processor time of this process, garbage collection on other threads included. */
function cpuMicroseconds() {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function runServer(modulePath) {
  const sealwire = await import(pathToFileURL(modulePath).href)
  const { createEndpoint, createReplayGuard, exportJwk, generateKeyPair, memoryStore } = sealwire
  const counts = { plain: new Map(), open: new Map(), jose: new Map(), sealed: new Map(), session: new Map() }
  const { signingKey: identity } = await sealwire.generateSigningKeyPair()
  const keyPool = sealwire.createKeyPool({ size: 1, modulusBits: 2048 })
  const sessions = sealwire.createSessions({ identity, keyPool })
  await sessions.ready()
  const { privateKey, publicKey } = await generateKeyPair({ modulusBits: 2048 })
  const server = createServer()
  const sealed = await listen(server)
  const replay = createReplayGuard({ store: memoryStore() })
  const endpoint = createEndpoint({
    origin: sealed,
    keys: privateKey,
    replay,
    routes: { "POST /transfers": "high", "POST /open/transfers": "low" },
    directory: { identity },
    sessions,
    // what is measured is what sealing costs, not how much is let through
    limits: false,
  })
  const answer = async (inner, { sealed: isSealed, session }) => {
    const name = !isSealed ? "open" : session === undefined ? "sealed" : "session"
    return Response.json(transfer(counts[name], await inner.json()))
  }
  server.on("request", sealwire.createListener(endpoint, answer))
  const plain = await serveWeb(async (request) => Response.json(transfer(counts.plain, await request.json())))
  const { origin: jose, jwk } = await joseApp(counts.jose)
  process.on("message", () => {
    globalThis.gc?.()
    const carriedOut = Object.fromEntries(
      Object.entries(counts).map(([name, map]) => [
        name,
        { different: map.size, most: Math.max(0, ...map.values()) },
      ]),
    )
    process.send({ carriedOut, cpu: cpuMicroseconds(), heap: process.memoryUsage().heapUsed })
  })
  process.on("disconnect", () => process.exit())
  process.send({ sealed, plain, jose, jwk, pin: identity.kid, publicJwk: await exportJwk(publicKey) })
}

const nextMessage = (child) => new Promise((resolve) => child.once("message", resolve))
const filler = "x".repeat(Number(values.body))

async function joseSender(origin, jwk) {
  const key = await importJWK(jwk, "RSA-OAEP-256")
  return async (message) => {
    const replyKey = crypto.getRandomValues(new Uint8Array(32))
    const nonce = crypto.randomUUID()
    const text = JSON.stringify({
      time: Date.now(),
      nonce,
      replyKey: Buffer.from(replyKey).toString("base64url"),
      message,
    })
    const body = await new CompactEncrypt(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM" })
      .encrypt(key)
    const response = await fetch(`${origin}/transfers`, { method: "POST", body })
    const { plaintext } = await compactDecrypt(await response.text(), replyKey)
    return JSON.parse(new TextDecoder().decode(plaintext))
  }
}

function jsonSender(origin, send) {
  return async (message) => {
    const response = await send(`${origin}/transfers`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    })
    return response.json()
  }
}

/** Sends a turn of requests, so many at a time, and notes how long each took; gives the rate, and the client's time for one. */
async function turn(send, numbers, times) {
  const left = [...numbers]
  const start = performance.now()
  const cpuStart = cpuMicroseconds()
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (let number = left.pop(); number !== undefined; number = left.pop()) {
        const began = performance.now()
        const answer = await send({ number, filler })
        if (answer.number !== number) throw new Error(`the answer to ${number} is ${answer.number}`)
        times.push(performance.now() - began)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  return { rate: numbers.length / seconds, cpu: (cpuMicroseconds() - cpuStart) / numbers.length }
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
const median = (numbers) =>
  quantile(
    numbers.toSorted((a, b) => a - b),
    0.5,
  )

async function main() {
  const directory = temporaryFolder("http")
  const modulePath = await load(directory)
  const child = fork(fileURLToPath(import.meta.url), ["--serve", modulePath], {
    execArgv: [...process.execArgv, "--expose-gc"],
  })
  try {
    const { sealed, plain, jose, jwk, pin, publicJwk } = await nextMessage(child)
    const { createClient, importPublicKey } = await import(pathToFileURL(modulePath).href)
    const keys = await importPublicKey(publicJwk)
    const client = createClient({ baseUrl: sealed, keys, retry: { attempts: 1 } })
    const senders = {
      plain: jsonSender(plain, fetch),
      open: jsonSender(`${sealed}/open`, fetch),
      jose: await joseSender(jose, jwk),
      sealed: jsonSender(sealed, client.fetch),
      session: jsonSender(sealed, createClient({ baseUrl: sealed, pins: [pin], session: true }).fetch),
    }
    const names = values.only.split(",")
    const results = Object.fromEntries(
      names.map((name) => [name, { times: [], rates: [], clientCpu: [], serverCpu: [] }]),
    )
    const report = async () => {
      child.send("report")
      return nextMessage(child)
    }
    const memory = []
    for (const name of names)
      await turn(
        senders[name],
        Array.from({ length: TURN }, (_, i) => -1 - i),
        [],
      )
    for (let from = 0; from < REQUESTS; from += TURN) {
      for (const name of names) {
        const numbers = Array.from({ length: TURN }, (_, i) => from + i)
        const { cpu: cpuBefore } = await report()
        const { rate, cpu } = await turn(senders[name], numbers, results[name].times)
        const after = await report()
        results[name].rates.push(rate)
        results[name].clientCpu.push(cpu)
        results[name].serverCpu.push((after.cpu - cpuBefore) / TURN)
        if (name === names.at(-1)) memory.push(after)
      }
    }
    print(names, results, memory)
  } finally {
    child.disconnect()
    rmSync(directory, { recursive: true, force: true })
  }
}

function print(names, results, memory) {
  const [plain, open] = ["plain", "open"].map((name) => median(results[name]?.rates ?? [Number.NaN]))
  console.log(
    `Node ${process.version}, ${REQUESTS} requests each, ${IN_FLIGHT} in flight, ${filler.length} B of body, RSA-2048`,
  )
  console.log("app      requests/s   to plain    to open    p50 ms    p99 ms  client µs  server µs")
  for (const name of names) {
    const { rates, times, clientCpu, serverCpu } = results[name]
    const rate = median(rates)
    const sorted = times.toSorted((a, b) => a - b)
    const row = [
      rate.toFixed(0),
      (rate / plain).toFixed(2),
      (rate / open).toFixed(2),
      quantile(sorted, 0.5).toFixed(1),
      quantile(sorted, 0.99).toFixed(1),
      median(clientCpu).toFixed(0),
      median(serverCpu).toFixed(0),
    ]
    console.log(
      name.padEnd(9) + row.map((cell, i) => cell.padStart([10, 11, 11, 10, 10, 11, 11][i])).join(""),
    )
  }
  const ratioOf = (name, to) =>
    median(results[name]?.rates.map((rate, i) => rate / results[to]?.rates[i]) ?? [Number.NaN]).toFixed(2)
  console.log(
    `turn by turn: sealed to jose ${ratioOf("sealed", "jose")}, session to open ${ratioOf("session", "open")}, session to plain ${ratioOf("session", "plain")}`,
  )
  for (const name of names.filter((each) => each in memory.at(-1).carriedOut && each !== "plain")) {
    const { different, most } = memory.at(-1).carriedOut[name]
    console.log(
      `${name}, carried out: ${different} different (${REQUESTS + TURN} sent), each at most ${most} time`,
    )
    if (different !== REQUESTS + TURN || most !== 1) process.exitCode = 1
  }
  const heaps = memory.map(({ heap }) => (heap / 1e6).toFixed(1))
  console.log(`server's heap after each turn, MB: ${heaps.join(" ")}`)
}

if (values.serve) await runServer(values.serve)
else await main()
