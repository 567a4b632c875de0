/**
 * What went wrong with a Postgres server, as errors that say what to do.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { withoutSecrets } from "./client-error.ts"

const failed = (reason: string, cause?: Error): SealwireError =>
  new SealwireError("ERR_STORE", `the replay store ${reason}`, cause && { cause })

/** By what the function answered instead of a decision. */
const REFUSALS: Readonly<Partial<Record<string, string>>> = Object.freeze({
  inside:
    "was asked inside a transaction, whose rollback would undo the claim: give it a pool, or a client of its own",
  apart:
    "and this process have clocks further apart than clockErrorSeconds, or the question took that long: set both by NTP",
  late: "got the id after it had expired",
  purged: "may have purged the id already: the server's clock was set back",
})

/** The error for a verdict that is not a decision. */
export function refusal(verdict: string): SealwireError {
  return failed(REFUSALS[verdict] ?? "gave an answer that its function does not give")
}

const NOT_MIGRATED = "has no table or no function: run migrate(client), or the SQL of postgresSchema()"

/** By SQLSTATE: what can be done about it. */
const ADVICE: Readonly<Partial<Record<string, string>>> = Object.freeze({
  "25006": "asked a replica or a read-only session: connect to the primary",
  "55000": "asked a replica: connect to the primary",
  "2D000": REFUSALS["inside"],
  "25P02": REFUSALS["inside"],
  "42P01": NOT_MIGRATED,
  "42883": NOT_MIGRATED,
  "42501":
    "may not use its table: grant the role SELECT, INSERT, UPDATE and DELETE on it, EXECUTE on its function",
})

const DISK_FULL = "53100"
const SERIALIZATION_FAILURE = "40001"

/** Whether the same statement can be sent again: another session's came first. */
export function isOvertaken(error: unknown): boolean {
  return codeOf(error) === SERIALIZATION_FAILURE
}

/** The error for a statement that failed. */
export function unanswered(error: unknown): SealwireError {
  const code = codeOf(error)
  const cause = Object.assign(withoutSecrets(error), { code })
  if (code === DISK_FULL) {
    return new SealwireError("ERR_STORE_FULL", "the replay store's server has no room on its disk", { cause })
  }
  return failed(ADVICE[code] ?? "could not be asked", cause)
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code)
}
