/**
 * The questions to a store, with a time-out; whatever is not a clear answer is no answer. docs/protocol.md §4.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { ReplayStore } from "./store.ts"

const failed = (reason: string, details?: { cause: unknown }): SealwireError =>
  new SealwireError("ERR_STORE", `the replay store ${reason}; nothing was accepted`, details)

/**
 * Asks since when a store remembers, in Unix milliseconds; undefined for one that never forgets.
 *
 * @throws `SealwireError` `ERR_STORE` when the store throws, or answers no number; its own `SealwireError` as it is.
 */
export function knownSince(store: ReplayStore): number | undefined {
  if (store.knowsSince === undefined) return undefined
  let answer: unknown
  try {
    answer = store.knowsSince()
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw failed("failed", { cause })
  }
  if (Number.isFinite(answer)) return answer as number
  throw failed("does not say since when it remembers")
}

const UNANSWERED: unique symbol = Symbol()

/** What a store answers, unless it takes longer than `timeoutMs`. */
function answerWithin(answered: Promise<unknown>, timeoutMs: number): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const rung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(failed(`did not answer within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  return Promise.race([answered, rung]).finally(() => {
    clearTimeout(timer)
  })
}

/**
 * Claims an id.
 *
 * @returns Whether the id is new.
 * @throws `SealwireError` `ERR_STORE` when the store throws, answers neither true nor false, or takes longer than
 *   `timeoutMs`; the store's own `SealwireError` as it is.
 */
export async function claimWithin(
  store: ReplayStore,
  id: string,
  expiresAtMs: number,
  timeoutMs: number,
): Promise<boolean> {
  try {
    let answer: unknown = UNANSWERED
    const answered = Promise.resolve(store.claim(id, expiresAtMs)).then((given) => (answer = given))
    // a turn later a store in this process has answered, and needs no timer
    await Promise.resolve()
    if (answer === UNANSWERED) await answerWithin(answered, timeoutMs)
    if (typeof answer === "boolean") return answer
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw failed("failed", { cause })
  }
  throw failed("answered neither true nor false")
}
