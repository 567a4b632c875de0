/** The steps in which the API is used as it should be. */

import { deepEqual, equal, match, ok } from "node:assert/strict"

import { ORDER } from "./check.js"
import { envelopeOf } from "./page/wire.js"

/** @typedef {import("./check.js").Visit} Visit */
/** @typedef {import("./screen.js").Step} Step */

/** @param {string | undefined} text */
const size = (text = "") => `${text.length.toLocaleString("en")} characters`

/**
 * @param {Step} step
 * @param {Visit} there
 */
async function lookAround(step, { origin, client }) {
  await step("The page comes with a strict policy, and its program", async (say) => {
    const [page, program] = await Promise.all([fetch(origin), fetch(`${origin}/main.js`)])
    const policy = page.headers.get("content-security-policy") ?? ""
    match(policy, /^default-src 'none'; script-src 'self';/)
    deepEqual([page.status, program.status], [200, 200])
    say("policy", policy)
  })
  await step("GET /status is open", async (say) => {
    const response = await fetch(`${origin}/status`)
    equal(response.status, 200)
    say("answer", await response.text())
  })
  await step("The key directory is signed by the pinned identity", async (say) => {
    const [key] = await client.keys()
    ok(key)
    say("key", `RSA-${key.modulusBits}, named ${key.kid}`)
  })
}

/**
 * @param {Step} step
 * @param {Visit} there
 */
export async function useApi(step, there) {
  await lookAround(step, there)
  await step("POST /transfers, sealed: it is booked, and the reply opens", async (say) => {
    const response = await there.transfer()
    equal(response.status, 201)
    /** @type {typeof ORDER} */
    const { to, cents, reference } = await response.json()
    deepEqual({ to, cents, reference }, ORDER)
    say("sealed", JSON.stringify(ORDER))
    say("opened", `${response.status} ${JSON.stringify({ to, cents, reference })}`)
  })
  await step("A proxy saw the envelopes, and nothing of the transfer or the reply", (say) => {
    const { request, answer } = there.lastPassed()
    const all = JSON.stringify([request, answer])
    for (const inside of [ORDER.to, ORDER.reference, String(ORDER.cents), "balance", "idempotency"]) {
      ok(!all.includes(inside), `"${inside}" was to be seen`)
    }
    const envelope = /^[\w-]+(?:\.[\w-]*){4}$/
    match(request.body ?? "", envelope)
    match(answer.body, envelope)
    say("request", `${request.method} /transfers, ${size(request.body)}`)
    say("answer", `${answer.status}, ${size(answer.body)}`)
  })
  await step("GET /account, sealed, without a body", async (say) => {
    const account = await there.account()
    deepEqual(account, { transfers: 1, balanceCents: 488_000 })
    const { request } = there.lastPassed()
    equal(request.body, undefined)
    say("request", `GET /account, ${size(envelopeOf(request))} in the header Sealwire`)
    say("opened", JSON.stringify(account))
  })
  await step("An answer is lost: the client asks again, and the transfer is booked once", async (say) => {
    await there.log()
    const before = await there.account()
    there.wire.loseNextAnswer()
    equal((await there.transfer()).status, 201)
    deepEqual(await there.log(), ["answered", "answered", "repeated"])
    equal((await there.account()).transfers, before.transfers + 1)
    say("log", "answered, then repeated: the first answer, for the same idempotency key")
  })
}
