/**
 * What went wrong with a shared session store, as errors that say what to do.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { withoutSecrets } from "./client-error.ts"

/** The error for a question that was not answered. */
export function unanswered(error: unknown): SealwireError {
  if (error instanceof SealwireError) return error
  const cause = withoutSecrets(error)
  return new SealwireError("ERR_STORE", "the session store could not be asked", { cause })
}

/** The error for a limit. Offers run out within a minute, sessions when they do. */
export function fullOf(what: "offers" | "sessions"): SealwireError {
  return new SealwireError("ERR_STORE_FULL", `the session store holds as many ${what} as it may`, {
    retryAfterSeconds: what === "offers" ? 1 : 10,
  })
}

/** The error for an answer that is none. */
export function odd(): SealwireError {
  return new SealwireError("ERR_STORE", "the session store gave an answer that is none")
}
