/** The demo's story. A step throws unless it has the outcome that its title promises. */

import { deepEqual, equal, ok } from "node:assert/strict"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"

import { createReplayGuard, generateKeyPair, memoryStore, open, seal, sealRequest } from "sealwire"
import { generateSigningKeyPair } from "sealwire/keys"

/** @typedef {(label: string, value: string) => void} Say */
/** @typedef {<T>(title: string, run: (say: Say) => T | Promise<T>) => Promise<T>} Step */
/** @typedef {import("sealwire").OpenOptions} OpenOptions */
/** @typedef {import("sealwire").SealOptions} SealOptions */

const CONTEXT = "bank.example transfers"
const ORDER = { operation: "transfer", amount: "120.00 EUR", to: "Zoë" }
const FILE = new URL("../docs/protocol.md", import.meta.url)

/** @param {Uint8Array} bytes */
const hex = (bytes) => Buffer.from(bytes).toString("hex")

/** @param {number} count */
const grouped = (count) => count.toLocaleString("en")

/** @param {string} text */
const shortened = (text) => `${text.slice(0, 20)}…${text.slice(-8)} (${grouped(text.length)} characters)`

/** @param {Step} step */
const makeKeys = (step) =>
  step("Make keys for a recipient, a stranger and a sender", async (say) => {
    const [recipient, stranger, sender] = await Promise.all([
      generateKeyPair(),
      generateKeyPair(),
      generateSigningKeyPair(),
    ])
    say("recipient", `RSA-${recipient.publicKey.modulusBits}, named ${recipient.publicKey.kid}`)
    say("stranger", `RSA-${stranger.publicKey.modulusBits}, named ${stranger.publicKey.kid}`)
    say("sender", `${sender.signingKey.algorithm}, named ${sender.signingKey.kid}`)
    return { recipient, stranger, sender }
  })

/** @type {Record<string, (value: unknown) => string>} */
const MEANINGS = {
  ctx: () => "the context's hash",
  iat: (seconds) => `sent at ${new Date(Number(seconds) * 1000).toISOString().slice(11, 19)} UTC`,
  jti: () => "the nonce",
  kid: () => "the recipient",
}

/**
 * @param {string} envelope
 * @param {Say} say
 */
function lookAsProxy(envelope, say) {
  const segments = envelope.split(".").map((segment) => Buffer.from(segment, "base64url"))
  ok(!segments.some((segment) => segment.includes(ORDER.to)), "the message shows in the envelope")
  /** @type {Record<string, unknown>} */
  const header = JSON.parse(String(segments[0]))
  for (const [name, value] of Object.entries(header)) {
    say(name, [String(value), MEANINGS[name]?.(value)].filter(Boolean).join(", "))
  }
  const names = ["header", "key", "iv", "ciphertext", "tag"]
  say("bytes", segments.map(({ length }, index) => `${names[index] ?? "?"} ${grouped(length)}`).join(", "))
  say("hidden", "the message, its digest, its signer")
}

/**
 * @param {Step} step
 * @param {SealOptions} writing
 * @param {OpenOptions} reading
 */
async function exchange(step, writing, reading) {
  const request = await step("Seal a JSON message, and sign it", async (say) => {
    const sealed = await sealRequest(JSON.stringify(ORDER), writing)
    say("message", JSON.stringify(ORDER))
    say("context", CONTEXT)
    say("envelope", shortened(sealed.envelope))
    return sealed
  })
  await step("Look at it as a proxy on the way does", (say) => {
    lookAsProxy(request.envelope, say)
  })
  const opened = await step("Open it at the recipient", async (say) => {
    const result = await open(request.envelope, reading)
    deepEqual(result.json(), ORDER)
    equal(result.signer, writing.signWith?.kid)
    say("message", result.text())
    say("sha-256", hex(result.digest))
    say("signer", `${result.signer ?? "nobody"}, the sender`)
    return result
  })
  await step("Reply, and open the reply at the sender", async (say) => {
    const reply = await opened.reply("accepted")
    const answer = await request.openReply(reply)
    equal(answer.text(), "accepted")
    say("envelope", shortened(reply))
    say("message", answer.text())
  })
  return request.envelope
}

/**
 * @param {Step} step
 * @param {SealOptions} writing
 * @param {OpenOptions} reading
 */
const sendFile = (step, writing, reading) =>
  step("Seal a file, unsigned, and open it", async (say) => {
    const file = await readFile(FILE)
    const envelope = await seal(file, writing)
    const copy = await open(envelope, reading)
    equal(hex(copy.digest), createHash("sha256").update(file).digest("hex"))
    equal(copy.signer, undefined)
    say("file", `docs/protocol.md, ${grouped(file.length)} bytes, with the same digest before and after`)
    say("envelope", shortened(envelope))
    say("sha-256", hex(copy.digest))
    say("signer", "none: nobody is proven to have sent it")
  })

/**
 * Changes one character in the middle of the ciphertext.
 *
 * @param {string} envelope
 */
function tamper(envelope) {
  const [header, key, iv, ciphertext = "", tag] = envelope.split(".")
  const at = Math.floor(ciphertext.length / 2)
  const other = ciphertext[at] === "A" ? "B" : "A"
  return [header, key, iv, ciphertext.slice(0, at) + other + ciphertext.slice(at + 1), tag].join(".")
}

/**
 * A step that must end in a refusal.
 *
 * @param {Step} step
 * @param {string} title
 * @param {string} code
 * @param {() => Promise<unknown>} opening
 */
const refuse = (step, title, code, opening) =>
  step(title, async (say) => {
    const outcome = await opening().then(
      () => new Error("it was accepted"),
      (/** @type {unknown} */ caught) => caught,
    )
    const error = /** @type {Error & { code?: string }} */ (outcome)
    equal(error.code, code, `expected ${code}; ${error.message}`)
    say("refused", `${code}: ${error.message}`)
  })

/**
 * Tells the story.
 *
 * @param {Step} step
 */
export async function tell(step) {
  // before the keys: what a store forgot when it started does not concern keys made later
  const store = memoryStore()
  const replay = createReplayGuard({ store })
  const { recipient, stranger, sender } = await makeKeys(step)
  const writing = { to: recipient.publicKey, context: CONTEXT, signWith: sender.signingKey }
  const reading = { with: recipient.privateKey, context: CONTEXT, signedBy: sender.verifyingKey, replay }

  const envelope = await exchange(step, writing, reading)
  await sendFile(step, { to: recipient.publicKey }, { with: recipient.privateKey, replay })

  const later = createReplayGuard({ store, clock: () => Date.now() + 5 * 60_000 })
  const next = await seal("a second message", writing)
  const failed = "ERR_OPEN_FAILED"
  await refuse(step, "Refuse the first envelope when it is replayed", "ERR_REPLAYED", () =>
    open(envelope, reading),
  )
  await refuse(step, "Refuse a second one, five minutes later", "ERR_STALE", () =>
    open(next, { ...reading, replay: later }),
  )
  await refuse(step, "Refuse it with one character changed", failed, () => open(tamper(next), reading))
  await refuse(step, "Refuse it at another recipient", failed, () =>
    open(next, { ...reading, with: stranger.privateKey }),
  )
  await refuse(step, "Refuse it in another context", failed, () =>
    open(next, { ...reading, context: "bank.example payrolls" }),
  )
  await step("Open it as it was: what was refused claimed nothing", async (say) => {
    const opened = await open(next, reading)
    equal(opened.text(), "a second message")
    say("message", opened.text())
  })
}
