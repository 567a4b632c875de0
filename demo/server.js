/** The demo's server: the page, the sealed API, and what the server knows of each message. On loopback only. */

import { once } from "node:events"
import { createServer } from "node:http"

import { createReplayGuard, memoryStore } from "sealwire"
import { createListener } from "sealwire/adapters/node"
import { createKeyRing, generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint, memoryIdempotencyStore } from "sealwire/server"

import { createBank } from "./bank.js"
import { answerWith, readPage } from "./page.js"

/** @typedef {import("sealwire/server").EndpointEvent} EndpointEvent */
/** @typedef {{ number: number, word: string }} LogEntry */

const HOST = "127.0.0.1"
const KEPT_ENTRIES = 100
/** Of each kind of request: who plays with the page is not one of thousands of clients. */
const PER_MINUTE = 600
const ALL_LEVELS = { high: PER_MINUTE, medium: PER_MINUTE, low: PER_MINUTE, directory: PER_MINUTE }

/**
 * An event in a word: the cause of a refusal, where there is one.
 *
 * @param {EndpointEvent} event
 */
function wordFor(event) {
  if (event.type === "problem") return event.problem
  return event.type === "refused" ? (event.code ?? event.type) : event.type
}

/**
 * What the operator sees, kept for the page to show. A real server keeps it to itself: it tells causes that peers must not learn.
 */
function createLog() {
  /** @type {LogEntry[]} */
  const entries = []
  let count = 0
  return {
    /** @param {EndpointEvent} event */
    add(event) {
      entries.push({ number: ++count, word: wordFor(event) })
      if (entries.length > KEPT_ENTRIES) entries.shift()
    },
    /** @param {number} number */
    after: (number) => entries.filter((entry) => entry.number > number),
  }
}

/** Keys of this process, and a store that has forgotten nothing that could have been sealed to them. */
async function makeSecrets() {
  const store = memoryStore()
  const [{ privateKey }, { signingKey: identity }] = await Promise.all([
    generateKeyPair(),
    generateSigningKeyPair(),
  ])
  return { store, privateKey, identity }
}

/** @typedef {Awaited<ReturnType<typeof makeSecrets>>} Secrets */

/**
 * @param {Secrets} secrets
 * @param {string} origin
 * @param {number} maxAgeSeconds
 * @param {(event: EndpointEvent) => void} onEvent
 */
const endpointOf = ({ store, privateKey, identity }, origin, maxAgeSeconds, onEvent) =>
  createEndpoint({
    origin,
    keys: createKeyRing([privateKey]),
    replay: createReplayGuard({ store, maxAgeSeconds }),
    routes: { "POST /transfers": "high", "GET /account": "medium", "GET /status": "low" },
    // a browser remembers the highest one of this origin, and the next demo may have the same port
    directory: { identity, seq: Math.floor(Date.now() / 1000) },
    idempotency: { store: memoryIdempotencyStore() },
    limits: { bySource: ALL_LEVELS },
    onEvent,
  })

/**
 * @param {number} port
 * @returns {Promise<{ server: import("node:http").Server, origin: string }>}
 */
async function listen(port) {
  const server = createServer().listen(port, HOST)
  await once(server, "listening")
  const address = /** @type {import("node:net").AddressInfo} */ (server.address())
  return { server, origin: `http://${HOST}:${address.port}` }
}

/**
 * Starts the demo.
 *
 * @param {{ port: number, maxAgeSeconds: number }} options
 */
export async function startDemo({ port, maxAgeSeconds }) {
  const secrets = await makeSecrets()
  const { server, origin } = await listen(port)
  const { kid: pin } = secrets.identity
  const page = await readPage({ origin, pin, maxAgeSeconds })
  const log = createLog()
  const endpoint = endpointOf(secrets, origin, maxAgeSeconds, (event) => log.add(event))
  const sealed = createListener(endpoint, createBank())

  server.on("request", (incoming, outgoing) => {
    const [, number] = /^\/log\?after=(\d{1,9})$/.exec(incoming.url ?? "") ?? []
    if (number !== undefined)
      answerWith(outgoing, "application/json", JSON.stringify(log.after(Number(number))))
    else if (!page.answer(incoming, outgoing)) sealed(incoming, outgoing)
  })
  return {
    origin,
    /** Thumbprint of the identity key: what clients pin. */
    identity: pin,
    directory: `${origin}/.well-known/sealwire`,
    close: () =>
      new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}
