/**
 * Measures messages in a session beside `jose`: `node bench/session.mjs [--rounds 9] [--bytes 1024]`, after `npm ci`.
 *
 * Crypto only, one process, messages of 1 KiB unless told otherwise: the session store is in memory, and the guard calls every id new. `jose` has its keys
 * imported once; its `dir` uses one AES key for all messages, and has no nonce, time, digest or context.
 */

import { rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import { temporaryFolder } from "../tools/temporary-folder.js"
import { measure } from "./envelope/measure.mjs"
import { jose, joseReplies } from "./envelope/peers/jose.mjs"
import { PRIMITIVES, sessionPrimitives } from "./envelope/peers/session-primitives.mjs"
import { judge, renderMachine, renderTable } from "./envelope/report.mjs"

const ORIGIN = "https://api.example.com"
const root = fileURLToPath(new URL("..", import.meta.url))

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    "turn-ms": { type: "string", default: "60" },
    bytes: { type: "string", default: "1024" },
  },
})

async function loadSubject() {
  const { build } = await import("esbuild")
  const folder = temporaryFolder("bench")
  const outfile = join(folder, "sealwire.mjs")
  const contents = ["index", "keys", "session"].map((door) => `export * from "./src/${door}.ts"`).join("\n")
  const alias = { "#backend": "./src/crypto/node.ts", "#base64url": "./src/base/base64url-node.ts" }
  try {
    await build({
      ...{ absWorkingDir: root, stdin: { contents, resolveDir: root, loader: "ts" }, outfile, alias },
      ...{ bundle: true, format: "esm", platform: "node", target: "node20", logLevel: "error" },
    })
    return await import(pathToFileURL(outfile).href)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** An open session of a mode, and its server. */
async function openOne(sealwire, wrap) {
  const { createKeyPool, createReplayGuard, createSessions, generateSigningKeyPair, openSession } = sealwire
  const { signingKey: identity } = await generateSigningKeyPair()
  const keyPool = createKeyPool({ size: 1, modulusBits: 2048 })
  const sessions = createSessions({ identity, keyPool, wrap })
  await sessions.ready()
  const replay = createReplayGuard({ store: { claim: () => Promise.resolve(true) } })
  const terms = { origin: ORIGIN, replay }
  const transport = {
    offer: (hello) => sessions.offer(hello, { origin: ORIGIN }),
    open: (id, opening) => sessions.open(id, opening, terms),
  }
  const session = await openSession({ pins: [identity.kid], origin: ORIGIN, transport })
  sessions.close()
  return { session, open: (envelope) => sessions.openMessage(envelope, terms) }
}

const message = new Uint8Array(Number(options.bytes)).fill(7)
const sealwire = await loadSubject()
const { session, open } = await openOne(sealwire, "once")
const each = await openOne(sealwire, "each")
const pair = await sealwire.generateKeyPair({ modulusBits: 2048, extractable: true })
const [publicJwk, privateJwk] = await Promise.all(
  [pair.publicKey, pair.privateKey].map((key) => sealwire.exportJwk(key)),
)
const dir = await joseReplies()
const rsa = await jose({ publicJwk, privateJwk })

const primitives = sessionPrimitives(message.length)
const sealedByPrimitives = primitives.seal()

const sealed = { session: await session.seal(message), each: await each.session.seal(message) }
const peers = { dir: await dir.seal(message), rsa: await rsa.seal(message) }

async function askAndAnswer() {
  const { envelope, openReply } = await session.sealRequest(message)
  const opened = await open(envelope)
  await openReply(await opened.reply(message))
}

async function askAndAnswerByJose() {
  await rsa.open(await rsa.seal(message))
  await rsa.open(await rsa.seal(message))
}

const DIR = "jose `dir`, cached key"
const RSA = "jose RSA-2048"
const tables = [
  {
    title: `Seal a message in a session, ${message.length} bytes`,
    references: [DIR, RSA, PRIMITIVES],
    bars: [{ against: DIR, atLeast: 6 }],
    contenders: [
      { name: "sealwire session", run: () => session.seal(message) },
      { name: "sealwire session, mode each", run: () => each.session.seal(message) },
      { name: DIR, run: () => dir.seal(message) },
      { name: RSA, run: () => rsa.seal(message) },
      { name: PRIMITIVES, run: () => primitives.seal() },
    ],
  },
  {
    title: `Open a message in a session, ${message.length} bytes`,
    references: [DIR, RSA, PRIMITIVES],
    bars: [{ against: DIR, atLeast: 8 }],
    contenders: [
      { name: "sealwire session", run: () => open(sealed.session) },
      { name: "sealwire session, mode each", run: () => each.open(sealed.each) },
      { name: DIR, run: () => dir.open(peers.dir) },
      { name: RSA, run: () => rsa.open(peers.rsa) },
      { name: PRIMITIVES, run: () => primitives.open(sealedByPrimitives) },
    ],
  },
  {
    title: `A request and its reply, sealed and opened, ${message.length} bytes each`,
    references: [RSA, PRIMITIVES],
    bars: [{ against: RSA, atLeast: 20 }],
    contenders: [
      { name: "sealwire session", run: askAndAnswer },
      { name: RSA, run: askAndAnswerByJose },
      { name: PRIMITIVES, run: () => primitives.askAndAnswer() },
    ],
  },
]

console.log(renderMachine())
for (const table of tables) {
  const measured = await measure(table.contenders, {
    rounds: Number(options.rounds),
    turnMs: Number(options["turn-ms"]),
  })
  console.log(renderTable(table, measured, await judge(table, measured)))
}
