/** The page: sends transfers with the sealed client, and lets its user be the one on the way. */

import { createClient } from "sealwire/client"

import { attacks } from "./attacks.js"
import { byId, money, say, showAccount, showReply, showWay } from "./view.js"
import { createWire } from "./wire.js"

/** @typedef {import("./wire.js").Passed} Passed */

/** @param {string} name */
const setting = (name) =>
  document.querySelector(`meta[name="sealwire-${name}"]`)?.getAttribute("content") ?? ""

/** @type {Passed | undefined} */
let last
const wire = createWire((request, answer) => {
  if (request.method === "POST") last = { request, answer }
})

// two lines: a client, and its fetch in place of the platform's
const client = createClient({
  baseUrl: location.origin,
  pins: [setting("pin")],
  enforcesIdempotency: true,
  fetch: wire.fetch,
})

/** The body of the last transfer: attacks that need a new message send the same order. */
let order = ""

/** @param {AbortSignal} [signal] */
const transfer = (signal) =>
  client.fetch("/transfers", { method: "POST", body: order, ...(signal ? { signal } : {}) })

async function readAccount() {
  const response = await client.fetch("/account")
  /** @type {import("./view.js").Account} */
  const account = await response.json()
  showAccount(account)
  return account
}

function readForm() {
  /** @param {string} id */
  const valueOf = (id) => /** @type {HTMLInputElement} */ (byId(id)).value
  const cents = Math.round(Number(valueOf("amount").replace(",", ".")) * 100)
  return JSON.stringify({ to: valueOf("to"), cents, reference: valueOf("reference") })
}

async function send() {
  order = readForm()
  const response = await transfer()
  /** @type {{ number: number, cents: number, to: string, title?: string }} */
  const booked = await response.json()
  showReply(response, booked)
  if (last) showWay(last)
  await readAccount()
  if (!response.ok) {
    say(`The bank refused: ${booked.title ?? response.status}`, true)
    return
  }
  say(`Transfer ${booked.number} is booked: ${money(booked.cents)} to ${booked.to}.`)
  allowAttacks()
}

const ignore = () => undefined

/** What was begun last: messages go one by one, so that what is caught, logged and booked belongs to one of them. */
/** @type {Promise<unknown>} */
let latest = Promise.resolve()

/**
 * Runs something alone.
 *
 * @template T
 * @param {() => Promise<T>} run
 * @returns {Promise<T>}
 */
function alone(run) {
  const mine = latest.then(run)
  latest = mine.then(ignore, ignore)
  return mine
}

/**
 * Runs what a button does, and says so where it fails.
 *
 * @param {HTMLElement} button
 * @param {() => Promise<unknown>} run
 */
async function start(button, run) {
  if (button.getAttribute("aria-disabled") === "true") return
  // not the attribute "disabled", which takes the focus away
  button.setAttribute("aria-disabled", "true")
  try {
    await run()
  } catch (error) {
    const { code, message } = /** @type {Error & { code?: string }} */ (error)
    say(`It failed: ${[code, message].filter(Boolean).join(": ")}`, true)
  } finally {
    button.setAttribute("aria-disabled", "false")
  }
}

function allowAttacks() {
  for (const name of Object.keys(attacks)) byId(name).setAttribute("aria-disabled", "false")
  byId("attack-hint").textContent =
    "You are on the way now: you have the bytes of the last transfer, and no key."
}

const scene = {
  maxAgeSeconds: Number(setting("max-age-seconds")),
  wire,
  transfer,
  readAccount,
  alone,
  lastRequest() {
    if (!last) throw new Error("no transfer was sent")
    return last.request
  },
}

async function refresh() {
  await readAccount()
  say("The account was read.")
}

byId("transfer").addEventListener("submit", (event) => {
  event.preventDefault()
  void start(byId("send"), () => alone(send))
})
byId("refresh").addEventListener("click", () => void start(byId("refresh"), () => alone(refresh)))
for (const [name, attack] of Object.entries(attacks)) {
  byId(name).addEventListener("click", () => void start(byId(name), () => attack(scene)))
}
void start(byId("refresh"), () => alone(readAccount))
