/** The steps in which somebody on the way does what he should not, and gets nowhere. */

import { deepEqual, equal } from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"

import { createClient } from "sealwire/client"

import { contentTypeOf, deliver, envelopeOf, staleAtMs, tampered, withEnvelope } from "./page/wire.js"

/** @typedef {import("./check.js").Visit} Visit */
/** @typedef {import("./screen.js").Say} Say */
/** @typedef {import("./screen.js").Step} Step */
/** @typedef {import("./page/wire.js").Passing} Passing */
/** @typedef {{ status: number, type: string, word: string }} Refusal */

const SEALED = "application/jose"
/** The one answer to all that does not open, whatever the cause. */
const UNOPENED = { status: 400, type: "application/problem+json", word: "ERR_OPEN_FAILED" }

/** @param {string} text */
const shortened = (text) => (text.length > 72 ? `${text.slice(0, 72)}…` : text)

/**
 * Makes steps in which a request is sent by somebody on the way: the server must refuse it in that way, and book nothing.
 *
 * @param {Step} step
 * @param {Visit} there
 */
const refusals =
  (step, there) =>
  /** @type {(title: string, expected: Refusal, craft: () => Promise<Passing>) => Promise<string>} */
  (title, expected, craft) =>
    step(title, async (say) => {
      const request = await craft()
      const before = await there.account()
      await there.log()
      const answer = await deliver(request)
      const [word = "nothing"] = await there.log()
      deepEqual({ status: answer.status, type: contentTypeOf(answer), word }, expected)
      deepEqual(await there.account(), before, "something was booked")
      say("answer", `${answer.status} ${shortened(answer.body)}`)
      say("log", word)
      return answer.body
    })

/**
 * Sends a transfer, and gives what went over the wire.
 *
 * @param {Visit} there
 */
async function sent(there) {
  equal((await there.transfer()).status, 201)
  return there.lastPassed().request
}

/**
 * Catches a transfer before it comes to the server, and has the client give up.
 *
 * @param {Visit} there
 */
async function caught(there) {
  const held = there.wire.hold()
  const giveUp = new AbortController()
  const outcome = there.transfer({ signal: giveUp.signal }).catch(() => "gave up")
  const request = await held
  giveUp.abort()
  equal(await outcome, "gave up")
  return request
}

/**
 * @param {Step} step
 * @param {Visit} there
 * @param {number} maxAgeSeconds
 */
async function attackServer(step, there, maxAgeSeconds) {
  const refused = refusals(step, there)
  await refused("A copy is refused", { status: 409, type: SEALED, word: "replayed" }, () => sent(there))
  const first = await refused("One character changed is refused", UNOPENED, async () =>
    tampered(await sent(there)),
  )
  const second = await refused("What is no envelope at all is refused", UNOPENED, async () =>
    withEnvelope(await sent(there), "no envelope"),
  )
  await step("… and neither says what was wrong", (say) => {
    equal(first, second)
    say("answers", "the same bytes")
  })
  await refused(
    "A transfer moved to another route is refused",
    { status: 400, type: SEALED, word: "mismatch" },
    async () => {
      const envelope = envelopeOf(await caught(there)) ?? ""
      return {
        url: `${there.origin}/account`,
        method: "GET",
        headers: [["sealwire", envelope]],
        body: undefined,
      }
    },
  )
  await refused(
    `A transfer held back until it is older than ${maxAgeSeconds} s is refused`,
    { status: 400, type: SEALED, word: "stale" },
    async () => {
      const request = await caught(there)
      await sleep(staleAtMs(request, maxAgeSeconds) - Date.now())
      return request
    },
  )
  await refused(
    "A transfer in the open is refused",
    { ...UNOPENED, status: 415, word: "refused" },
    async () => ({
      url: `${there.origin}/transfers`,
      method: "POST",
      headers: [["content-type", "application/json"]],
      body: '{"to":"Mallory","cents":1}',
    }),
  )
}

/**
 * A step in which a client must refuse what comes back.
 *
 * @param {Step} step
 * @param {string} title
 * @param {string} code
 * @param {() => Promise<unknown>} ask
 */
const throws = (step, title, code, ask) =>
  step(title, async (say) => {
    const outcome = await ask().then(
      () => new Error("it was believed"),
      (/** @type {unknown} */ error) => error,
    )
    const error = /** @type {Error & { code?: string }} */ (outcome)
    equal(error.code, code, error.message)
    say("client", `${code}: ${error.message}`)
  })

/**
 * @param {Step} step
 * @param {Visit} there
 */
async function attackClient(step, there) {
  const { options, wire } = there
  /** @type {string[]} */
  const asked = []
  const wrong = createClient({
    ...options,
    pins: ["A".repeat(43)],
    fetch: async (url, init) => {
      asked.push(new URL(url).pathname)
      return fetch(url, init)
    },
  })
  await throws(step, "A client with another pin sends nothing", "ERR_KEYS_UNTRUSTED", async () => {
    await wrong.fetch("/account").finally(() => {
      deepEqual([...new Set(asked)], ["/.well-known/sealwire"])
    })
  })

  /** @type {(title: string, forge: () => Response | Promise<Response>) => Promise<void>} */
  const forged = async (title, forge) => {
    const client = createClient({
      ...options,
      retry: { attempts: 1 },
      fetch: async (url, init) => (url.endsWith("/account") ? forge() : wire.fetch(url, init)),
    })
    await throws(step, title, "ERR_UNSEALED", () => client.fetch("/account"))
  }
  await forged("An answer that is not sealed is not believed", () => Response.json({ balanceCents: 1 }))
  await forged("A redirect is not followed", () => Response.redirect("http://127.0.0.1:9/elsewhere", 307))
  const { answer } = there.lastPassed()
  await forged("The reply to another request is not believed", () => new Response(answer.body, answer))
}

/**
 * @param {Step} step
 * @param {Visit} there
 * @param {number} maxAgeSeconds
 */
export async function attack(step, there, maxAgeSeconds) {
  await attackServer(step, there, maxAgeSeconds)
  await attackClient(step, there)
}
