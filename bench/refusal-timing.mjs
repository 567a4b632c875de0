/**
 * Whether the time of a refusal tells which of the four failures after the RSA operation it was: an envelope whose key does not
 * unwrap, whose key has a wrong length, whose tag fails, whose digest is wrong. docs/protocol.md §3.4 steps 6 and 7.
 *
 *     node bench/refusal-timing.mjs [--runs 2000]
 *
 * Every two kinds are compared by the Mann–Whitney test over runs in random order. The control refuses as soon as the key does
 * not unwrap, and has no floor under the time of refusals: the same test must catch it. Exits 1 when the build as it is shows a
 * difference, or the control none. What it shows without the floor is printed for information.
 *
 * @module
 */

import {
  createCipheriv,
  createHash,
  createHmac,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  randomInt,
} from "node:crypto"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import { build } from "esbuild"

import { temporaryFolder } from "../tools/temporary-folder.js"

const { values } = parseArgs({ options: { runs: { type: "string", default: "2000" } } })
const RUNS = Number(values.runs)
const WARM_UP = 300
/** As for leakage tests of primitives (dudect): beyond this |z| the difference is taken for real. */
const LIMIT = 4.5
/** So much that a step left out shows: hashing and deciphering it takes longer than the RSA operation varies. */
const MESSAGE_BYTES = 256 * 1024
const ORIGIN = "https://api.example.com"

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))
const directory = temporaryFolder("timing")

/** The leak: no decoy key, and no decoy plaintext. */
const leak = {
  name: "leak",
  setup({ onLoad }) {
    onLoad({ filter: /envelope\/read\.ts$/ }, ({ path }) => {
      const right = readFileSync(path, "utf8")
      const leaky = right
        .replaceAll("return decoy\n", "throw openFailed()\n")
        .replace("KEY_BYTES ? key : decoy", "KEY_BYTES ? key : Promise.reject(openFailed())")
      if (leaky === right) throw new Error("the control has nothing to leak any more: mend this script")
      return { contents: leaky, loader: "ts" }
    })
  },
}

async function load(name, plugins) {
  const outfile = join(directory, `${name}.mjs`)
  const stdin = {
    contents: `export * from "./index.ts"; export { createEndpoint } from "./server.ts"`,
    resolveDir: source(""),
    loader: "ts",
  }
  const alias = { "#backend": source("crypto/node.ts"), "#base64url": source("base/base64url-node.ts") }
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", alias, plugins })
  return import(pathToFileURL(outfile).href)
}

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 })
const b64u = (bytes) => Buffer.from(bytes).toString("base64url")
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest()
function lp(text) {
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(Buffer.byteLength(text)))
  return Buffer.concat([length, Buffer.from(text)])
}
const label = (name) => lp(`sealwire/1 ${name}`)
const { e, kty, n } = pair.publicKey.export({ format: "jwk" })
const kid = b64u(sha256(JSON.stringify({ e, kty, n })))

/** An envelope of one kind of failure: as §3.2 says, but for that. */
function envelope(kind) {
  const seed = randomBytes(32)
  const key = randomBytes(32)
  const iv = randomBytes(12)
  const jti = b64u(
    createHmac("sha256", seed).update(label("nonce")).update(Buffer.of(1)).digest().subarray(0, 16),
  )
  const ctx = b64u(sha256(label("context"), lp(`http\0${ORIGIN}`)))
  const iat = Math.floor(Date.now() / 1000)
  const header = b64u(JSON.stringify({ alg: "RSA-OAEP-256", ctx, enc: "A256GCM", iat, jti, kid, typ: "sw1" }))
  const message = randomBytes(MESSAGE_BYTES)
  const digest = sha256(label("digest"), lp(header), lp(seed), lp(""), sha256(message))
  if (kind === "digest") digest[0] ^= 1
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(header))
  const ciphertext = Buffer.concat([
    cipher.update(Buffer.concat([digest, seed, Buffer.alloc(2), message])),
    cipher.final(),
  ])
  const tag = cipher.getAuthTag()
  if (kind === "tag") tag[0] ^= 1
  const wrapped = publicEncrypt(
    { key: pair.publicKey, oaepHash: "sha256" },
    kind === "length" ? key.subarray(0, 31) : key,
  )
  const encryptedKey = kind === "unwrap" ? randomBytes(256).with(0, 0) : wrapped
  return [header, ...[encryptedKey, iv, ciphertext, tag].map(b64u)].join(".")
}

const KINDS = ["unwrap", "length", "tag", "digest"]

/** Times refusals of all kinds, in random order. */
async function measure({ createEndpoint, dangerouslyAcceptReplays, importPrivateKey }, floor = {}) {
  const keys = await importPrivateKey(pair.privateKey.export({ type: "pkcs8", format: "pem" }))
  const endpoint = createEndpoint({
    origin: ORIGIN,
    keys,
    replay: dangerouslyAcceptReplays,
    routes: { "/**": "high" },
    limits: false,
    ...floor,
  })
  const times = Object.fromEntries(KINDS.map((kind) => [kind, []]))
  for (let run = 0; run < (RUNS + WARM_UP) * KINDS.length; run++) {
    const kind = KINDS[randomInt(KINDS.length)]
    const headers = { "content-type": "application/jose" }
    const request = new Request(`${ORIGIN}/a`, { method: "POST", headers, body: envelope(kind) })
    // timers count from when the event loop last looked at its clock: not from before the envelope was made, which takes each kind another time
    await nextTurn()
    const start = process.hrtime.bigint()
    const { status } = await endpoint.handle(request, () => new Response())
    const time = Number(process.hrtime.bigint() - start)
    if (status !== 400) throw new Error(`${kind} was answered with ${status}`)
    if (run >= WARM_UP * KINDS.length) times[kind].push(time)
  }
  return times
}

/** The z of the Mann–Whitney test. */
function mannWhitney(a, b) {
  const all = [...a.map((time) => [time, 0]), ...b.map((time) => [time, 1])].sort(([x], [y]) => x - y)
  const rankSum = all.reduce((sum, [, from], rank) => (from === 0 ? sum + rank + 1 : sum), 0)
  const u = rankSum - (a.length * (a.length + 1)) / 2
  const spread = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12)
  return (u - (a.length * b.length) / 2) / spread
}

const median = (times) => times.toSorted((x, y) => x - y)[times.length >> 1] ?? NaN

/** Compares every two kinds, prints, and gives the largest |z|. */
function compare(title, times) {
  console.log(`\n${title}`)
  for (const kind of KINDS)
    console.log(
      `  ${kind.padEnd(7)} median ${(median(times[kind]) / 1000).toFixed(1)} µs, ${times[kind].length} runs`,
    )
  let largest = 0
  for (const [i, a] of KINDS.entries()) {
    for (const b of KINDS.slice(i + 1)) {
      const z = mannWhitney(times[a], times[b])
      largest = Math.max(largest, Math.abs(z))
      console.log(
        `  ${`${a} / ${b}`.padEnd(16)} z = ${z.toFixed(1)}${Math.abs(z) > LIMIT ? "  different" : ""}`,
      )
    }
  }
  return largest
}

try {
  const built = await load("built", [])
  const leaky = await load("leaky", [leak])
  const noFloor = { refusalFloorMs: 0 }
  const asBuilt = compare("as built", await measure(built))
  compare("as built, but without the floor", await measure(built, noFloor))
  const control = compare("the control, which leaks", await measure(leaky, noFloor))
  const holds = asBuilt <= LIMIT && control > LIMIT
  console.log(
    `\n${holds ? "holds" : "does not hold"}: as built |z| ≤ ${asBuilt.toFixed(1)}, control ${control.toFixed(1)}, limit ${LIMIT}`,
  )
  process.exitCode = holds ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
