/**
 * What went wrong with a Redis server, as errors that say what to do.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { withoutSecrets } from "./client-error.ts"

const failed = (reason: string, cause?: Error): SealwireError =>
  new SealwireError("ERR_STORE", `the replay store ${reason}`, cause && { cause })

/** By what a script answered instead of a decision. */
const REFUSALS: Readonly<Partial<Record<string, string>>> = Object.freeze({
  replica:
    "asked a server that is no primary, or that hides INFO replication: connect to the primary of a Redis 7 or Valkey",
  apart:
    "and this process have clocks further apart than clockErrorSeconds, or the question took that long: set both by NTP",
  late: "got the id after it had expired",
  lost: "lost its markers again while they were written: something deletes its keys, or the server changes",
  hidden:
    "does not show its maxmemory-policy: make sure that it is noeviction, then set evictionPolicyVerified",
  evicts: "would evict ids before they expire: set maxmemory-policy to noeviction on the server",
})

/** The error for a verdict that is not a decision. */
export function refusal(verdict: string, detail?: string): SealwireError {
  const reason = REFUSALS[verdict] ?? "gave an answer that its script does not give"
  return failed(detail === undefined ? reason : `${reason} (it is ${detail})`)
}

/** The error for a command that failed. */
export function unanswered(error: unknown): SealwireError {
  const cause = withoutSecrets(error)
  if (/\bOOM\b/.test(cause.message)) {
    return new SealwireError("ERR_STORE_FULL", "the replay store's server is out of memory", { cause })
  }
  if (/NOPERM|no permissions|can't run this command/i.test(cause.message)) {
    return failed("may not run its script: allow the user EVAL, EVALSHA, INFO, TIME, GET and SET", cause)
  }
  if (cause.message.includes("READONLY")) return failed("asked a replica: connect to the primary", cause)
  return failed("could not be asked", cause)
}
