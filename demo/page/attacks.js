/** What the buttons do, and how it ended: seen by who did it, by the server's operator, and in the account. */

import { characters, countDown, say, showOutcome } from "./view.js"
import { contentTypeOf, deliver, staleAtMs, tampered } from "./wire.js"

/** @typedef {import("./wire.js").Passing} Passing */
/** @typedef {import("./wire.js").PassingAnswer} PassingAnswer */
/** @typedef {import("./view.js").Facts} Facts */

/**
 * @typedef {object} Scene
 * @property {number} maxAgeSeconds
 * @property {ReturnType<typeof import("./wire.js").createWire>} wire
 * @property {(signal?: AbortSignal) => Promise<Response>} transfer Sends the last order again, sealed anew.
 * @property {() => Promise<import("./view.js").Account>} readAccount
 * @property {<T>(run: () => Promise<T>) => Promise<T>} alone Runs something while no other message is under way.
 * @property {() => Passing} lastRequest
 */

/** @type {Record<string, string>} */
const MEANINGS = {
  replayed: "this message was received before",
  stale: "the message is too old",
  ERR_OPEN_FAILED: "it does not open",
  answered: "answered: the order was booked",
  repeated: "repeated: the same operation, so it got its first answer",
}

let seen = 0

/** The server's log since the last time. */
async function readLog() {
  const response = await fetch(`/log?after=${seen}`)
  /** @type {{ number: number, word: string }[]} */
  const entries = await response.json()
  seen = entries.at(-1)?.number ?? seen
  return entries.map(({ word }) => word)
}

/** @param {string[]} words */
const explained = (words) =>
  words
    .map((word) =>
      MEANINGS[word]?.startsWith(word) ? MEANINGS[word] : `${word}: ${MEANINGS[word] ?? "see the protocol"}`,
    )
    .join("; ")

/** @param {PassingAnswer} answer */
function gotten(answer) {
  const isSealed = contentTypeOf(answer) === "application/jose"
  return `${answer.status}, ${isSealed ? `${characters(answer.body)} that only the sender can open` : answer.body}`
}

/**
 * Delivers a message that should not count, and shows what came of it.
 *
 * @param {Scene} scene
 * @param {{ name: string, what: string, request: Passing }} attempt
 */
async function deliverAndShow({ readAccount }, { name, what, request }) {
  const before = await readAccount()
  await readLog()
  const answer = await deliver(request)
  const words = await readLog()
  const after = await readAccount()
  const isRefused = answer.status >= 400 && after.transfers === before.transfers
  const title = isRefused ? `${what} was refused` : `${what} was accepted`
  showOutcome({
    name,
    good: isRefused,
    title,
    facts: [
      ["You got", gotten(answer)],
      ["Server’s log", explained(words)],
      ["Account", accountLine(before.transfers, after.transfers)],
    ],
  })
  say(`${title}.`, !isRefused)
}

/**
 * @param {number} before
 * @param {number} after
 */
const accountLine = (before, after) =>
  after === before ? `unchanged: transfers ${after}` : `transfers ${before}, now ${after}`

/**
 * Catches an order before it comes to the server, and has the client give up.
 *
 * @param {Scene} scene
 */
async function holdBack({ wire, transfer }) {
  const held = wire.hold()
  const giveUp = new AbortController()
  const pending = transfer(giveUp.signal)
  // whatever ends the transfer before it was caught
  const request = await Promise.race([
    held,
    pending.then(() => Promise.reject(new Error("it was not caught"))),
  ])
  giveUp.abort()
  await pending.catch(() => undefined)
  return request
}

/** @param {Scene} scene */
async function delay(scene) {
  const { alone, maxAgeSeconds } = scene
  const request = await alone(() => holdBack(scene))
  say(`The order is held back on the way for ${maxAgeSeconds} seconds, and you have given up waiting.`)
  await countDown(staleAtMs(request, maxAgeSeconds))
  await alone(() => deliverAndShow(scene, { name: "delay", what: "The delayed order", request }))
}

/** @param {Scene} scene */
async function loseAnswer({ wire, transfer, readAccount }) {
  const before = await readAccount()
  await readLog()
  wire.loseNextAnswer()
  const response = await transfer()
  const words = await readLog()
  const after = await readAccount()
  const isOnce = response.ok && after.transfers === before.transfers + 1
  const title = isOnce
    ? "The order was booked once, and its answer came at last"
    : "The order was not booked once"
  showOutcome({
    name: "lose",
    good: isOnce,
    title,
    facts: [
      ["Client got", `${response.status}, opened, at the second attempt`],
      ["Server’s log", explained(words)],
      ["Account", accountLine(before.transfers, after.transfers)],
    ],
  })
  say(`${title}.`, !isOnce)
}

/**
 * By the id of their button.
 *
 * @type {Record<string, (scene: Scene) => Promise<void>>}
 */
export const attacks = {
  replay: (scene) =>
    scene.alone(() =>
      deliverAndShow(scene, { name: "replay", what: "The copy", request: scene.lastRequest() }),
    ),
  tamper: (scene) =>
    scene.alone(() => {
      const request = tampered(scene.lastRequest())
      return deliverAndShow(scene, { name: "tamper", what: "The changed message", request })
    }),
  delay,
  lose: (scene) => scene.alone(() => loseAnswer(scene)),
}
