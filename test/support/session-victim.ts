/**
 * A server of sessions whose memory a test reads: test/session/memory.test.ts. It is told envelopes, and never a secret.
 *
 * @module
 */

import { importSigningKey } from "../../src/keys/signer.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { createKeyPool, createSessions } from "../../src/session.ts"
import { VICTIM_ORIGIN } from "./session-victim-terms.ts"

/** What the test asks of it. */
export type VictimQuestion =
  | { readonly do: "offer"; readonly text: string }
  | { readonly do: "open"; readonly id: string; readonly text: string }
  | { readonly do: "message"; readonly text: string }
  | { readonly do: "end"; readonly id: string }
  /** Lets time pass, and asks which sessions are left, as the sweep does every 15 seconds. */
  | { readonly do: "pass"; readonly seconds: number }
  /** Has the runtime collect what nothing refers to. */
  | { readonly do: "collect" }

/** What it answers. */
export type VictimAnswer = { readonly text: string } | { readonly failure: string }

let passedMs = 0
const clock = (): number => Date.now() + passedMs
const [pem = ""] = process.argv.slice(2)
const identity = await importSigningKey(pem)
const keyPool = createKeyPool({ size: 1, modulusBits: 2048 })
const sessions = createSessions({
  ...{ identity, keyPool, clock, lifetimeSeconds: 3600, idleSeconds: 600 },
})
const replay = createReplayGuard({ store: { claim: () => Promise.resolve(true) }, clock })
const terms = { origin: VICTIM_ORIGIN, replay }

async function answerTo(question: VictimQuestion): Promise<string> {
  switch (question.do) {
    case "offer":
      await sessions.ready()
      return sessions.offer(question.text, { origin: VICTIM_ORIGIN })
    case "open":
      return sessions.open(question.id, question.text, terms)
    case "message": {
      const opened = await sessions.openMessage(question.text, terms)
      return opened.reply(`you said ${opened.text().length} characters`)
    }
    case "end":
      return String(await sessions.end(question.id))
    case "pass":
      passedMs += question.seconds * 1000
      return String((await sessions.list()).length)
    case "collect":
      globalThis.gc?.()
      return typeof globalThis.gc
  }
}

process.on("message", (question: VictimQuestion) => {
  answerTo(question).then(
    (text) => process.send?.({ text }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  )
})
process.on("disconnect", () => process.exit(0))
process.send?.({ text: "ready" })
