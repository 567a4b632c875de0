/** What the page shows. Text is only ever set as text. */

import { contentTypeOf, envelopeOf, headerOf } from "./wire.js"

/** @typedef {import("./wire.js").Passed} Passed */
/** @typedef {[term: string, description: string][]} Facts */
/** @typedef {{ transfers: number, balanceCents: number }} Account */

const PARTS = ["header", "key", "iv", "ciphertext", "tag"]
const MAX_OUTCOMES = 20

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
function element(name, attributes, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

/** @param {Facts} facts */
const factsOf = (facts) =>
  facts.flatMap(([term, description]) => [element("dt", {}, term), element("dd", {}, description)])

/**
 * A long text that scrolls, also by keyboard.
 *
 * @param {string} name
 * @param {(Node | string)[]} content
 */
const block = (name, ...content) =>
  element("pre", { tabindex: "0", role: "region", "aria-label": name }, ...content)

const euro = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" })

/** @param {number} cents */
export const money = (cents) => euro.format(cents / 100)

/** @param {string} text */
export const characters = (text) => `${text.length.toLocaleString("en")} characters`

/** @param {string} envelope */
function coloured(envelope) {
  return envelope.split(".").flatMap((part, i) => {
    const span = element("span", { class: `part-${PARTS[i] ?? "tag"}` }, part)
    return i === 0 ? [span] : [".", span]
  })
}

/** @param {string} envelope */
const legend = (envelope) =>
  element(
    "ul",
    { class: "legend", "aria-label": "Parts of the envelope" },
    ...envelope
      .split(".")
      .map((part, i) =>
        element("li", { class: `part-${PARTS[i] ?? "tag"}` }, `${PARTS[i] ?? "?"} ${part.length}`),
      ),
  )

/**
 * A request or an answer as it stands on the wire.
 *
 * @param {string} name
 * @param {string} firstLine
 * @param {[name: string, value: string][]} headers
 * @param {string} envelope
 * @param {string | undefined} body
 */
function onTheWire(name, firstLine, headers, envelope, body) {
  const lines = headers.map(([key, value]) =>
    value === envelope ? [`${key}: `, ...coloured(value)] : [`${key}: ${value}`],
  )
  const head = lines.flatMap((line) => ["\n", ...line])
  const content = body === undefined ? [] : ["\n\n", ...(body === envelope ? coloured(body) : [body])]
  return [
    element("h3", {}, name),
    ...(envelope ? [legend(envelope)] : []),
    block(`${name}, as bytes`, firstLine, ...head, ...content),
  ]
}

/**
 * Shows what somebody on the way has of an exchange.
 *
 * @param {Passed} passed
 */
export function showWay({ request, answer }) {
  const envelope = envelopeOf(request) ?? ""
  const { pathname } = new URL(request.url)
  const isSealed = contentTypeOf(answer) === "application/jose"
  byId("way").replaceChildren(
    ...onTheWire("The request", `${request.method} ${pathname}`, request.headers, envelope, request.body),
    element(
      "details",
      {},
      element("summary", {}, "What its header says to everybody"),
      block("The header of the envelope", JSON.stringify(headerOf(envelope), undefined, 2)),
    ),
    ...onTheWire("The answer", `${answer.status}`, answer.headers, isSealed ? answer.body : "", answer.body),
  )
}

/**
 * Shows the opened reply.
 *
 * @param {Response} response
 * @param {unknown} body
 */
export function showReply({ status, headers }, body) {
  const names = ["content-type", "x-request-id"]
  /** @type {Facts} */
  const facts = [
    ["status", String(status)],
    ...names.map((name) => /** @type {[string, string]} */ ([name, headers.get(name) ?? ""])),
  ]
  byId("reply").replaceChildren(
    element("dl", { class: "facts" }, ...factsOf(facts)),
    block("The reply’s content", JSON.stringify(body, undefined, 2)),
  )
}

/** @param {Account} account */
export function showAccount({ transfers, balanceCents }) {
  byId("account").replaceChildren(
    ...factsOf([
      ["Balance", money(balanceCents)],
      ["Transfers", String(transfers)],
    ]),
  )
}

/**
 * Adds an outcome on top.
 *
 * @param {{ name: string, good: boolean, title: string, facts: Facts }} outcome
 */
export function showOutcome({ name, good, title, facts }) {
  const list = byId("outcomes")
  const item = element("li", { class: good ? "good" : "bad", "data-attack": name })
  item.append(element("h3", {}, title), element("dl", { class: "facts" }, ...factsOf(facts)))
  list.prepend(item)
  while (list.children.length > MAX_OUTCOMES) list.lastElementChild?.remove()
}

/**
 * Says something, also to those who do not see the page.
 *
 * @param {string} text
 * @param {boolean} [isBad]
 */
export function say(text, isBad = false) {
  const status = byId("status")
  status.textContent = text
  status.classList.toggle("bad-news", isBad)
}

/**
 * Counts down to a moment.
 *
 * @param {number} endMs
 */
export async function countDown(endMs) {
  const bar = /** @type {HTMLProgressElement} */ (byId("held"))
  const startMs = Date.now()
  byId("countdown").hidden = false
  for (let leftMs = endMs - startMs; leftMs > 0; leftMs = endMs - Date.now()) {
    bar.value = 1 - leftMs / (endMs - startMs)
    byId("left").textContent = `${Math.ceil(leftMs / 1000)} s to go`
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, 200)))
  }
  byId("countdown").hidden = true
}
