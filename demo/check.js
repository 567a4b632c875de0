/** `npm run demo -- --check`: every step over the wire, from Node, against the demo's own server. */

import { createClient } from "sealwire/client"

import { attack } from "./check-attacks.js"
import { useApi } from "./check-uses.js"
import { createWire } from "./page/wire.js"
import { createSteps, printHeading } from "./screen.js"
import { startDemo } from "./server.js"

/** @typedef {{ transfers: number, balanceCents: number }} Account */
/** @typedef {ReturnType<typeof visit>} Visit */

export const ORDER = { to: "Zoë", cents: 12_000, reference: "rent" }

/**
 * A client of the demo, with somebody on the way.
 *
 * @param {Awaited<ReturnType<typeof startDemo>>} demo
 */
function visit({ origin, identity }) {
  /** @type {import("./page/wire.js").Passed[]} */
  const passed = []
  const wire = createWire((request, answer) => passed.push({ request, answer }))
  const options = { baseUrl: origin, pins: [identity], enforcesIdempotency: true, retry: { baseDelayMs: 20 } }
  const client = createClient({ ...options, fetch: wire.fetch })
  const init = { method: "POST", body: JSON.stringify(ORDER) }
  let seen = 0
  return {
    origin,
    /** Of the client. */
    options,
    client,
    wire,
    /** What went over the wire: the last one. */
    lastPassed() {
      const last = passed.at(-1)
      if (!last) throw new Error("nothing went over the wire")
      return last
    },
    /** @param {RequestInit} [more] */
    transfer: (more) => client.fetch("/transfers", { ...init, ...more }),
    /** @returns {Promise<Account>} */
    async account() {
      const { transfers, balanceCents } = await (await client.fetch("/account")).json()
      return { transfers, balanceCents }
    },
    /** What the server has logged since the last time, each in a word. */
    async log() {
      const response = await fetch(`${origin}/log?after=${seen}`)
      /** @type {import("./server.js").LogEntry[]} */
      const entries = await response.json()
      seen = entries.at(-1)?.number ?? seen
      return entries.map(({ word }) => word)
    },
  }
}

/**
 * Goes through all steps and says how each ended.
 *
 * @param {{ port: number, maxAgeSeconds: number }} options
 * @returns {Promise<boolean>} Whether each step had its outcome.
 */
export async function check(options) {
  printHeading(`Sealwire on Node ${process.versions.node}: an API, a client, and somebody on the way`)
  const steps = createSteps()
  const demo = await startDemo(options)
  try {
    const there = visit(demo)
    await useApi(steps.step, there)
    await attack(steps.step, there, options.maxAgeSeconds)
  } catch {
    // the step has said so, and those after it build on it
  } finally {
    await demo.close()
  }
  const { count, failed } = steps.ended()
  printHeading(failed ? `Step ${count} failed.` : `All ${count} steps had their outcome.`)
  return !failed
}
