/**
 * The inner side of session-processes.ts: what each process runs.
 *
 * @module
 */

import { importSigningKey } from "../../src/keys/signer.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { createKeyPool, createSessions, type Sessions, type SessionStore } from "../../src/session.ts"

/** What the parent asks of a process. */
export type Question =
  | { readonly do: "offer"; readonly text: string }
  | { readonly do: "open"; readonly id: string; readonly text: string }
  | { readonly do: "message"; readonly text: string }

/** What it answers. */
export interface Answer {
  readonly number: number
  readonly text?: string
  readonly code?: string
}

export const FLEET_ORIGIN = "https://fleet.example.com"

// a store of ids that accepts all, so that the session store alone decides
const replay = createReplayGuard({ store: { claim: () => Promise.resolve(true) } })
const terms = { origin: FLEET_ORIGIN, replay }

async function answerTo(question: Question, sessions: Sessions): Promise<string> {
  if (question.do === "offer") return sessions.offer(question.text, { origin: FLEET_ORIGIN })
  if (question.do === "open") return sessions.open(question.id, question.text, terms)
  const opened = await sessions.openMessage(question.text, terms)
  return opened.reply(opened.text())
}

/** Serves sessions over a store. Arguments: the identity as PEM, a record key in hex. Ends with the parent. */
export async function serveSessions(store: SessionStore, pem: string, recordKey: string): Promise<void> {
  const identity = await importSigningKey(pem)
  const keyPool = createKeyPool({ size: 3, modulusBits: 2048, extractable: true })
  const recordKeys = [new Uint8Array(Buffer.from(recordKey, "hex"))]
  const sessions = createSessions({ identity, keyPool, store, recordKeys })
  await sessions.ready()
  process.on("message", (asked: Question & { number: number }) => {
    const { number } = asked
    answerTo(asked, sessions).then(
      (text) => process.send?.({ number, text }),
      (error: unknown) =>
        process.send?.({ number, code: String((error as { code?: unknown }).code ?? error) }),
    )
  })
  process.on("disconnect", () => process.exit(0))
  process.send?.("ready")
}
