/**
 * A session store as requests ask it: for a bounded time, and only a clear answer counts. Anyone can write a store; whatever becomes
 * of one, a request that needed it is refused by `ERR_STORE`. docs/protocol.md §6.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { andThen, isLater, type MaybePromise } from "../base/maybe-promise.ts"
import type { SessionStore } from "./session-store.ts"

/** As long as a replay guard waits for its store, unless that is told otherwise. */
const TIMEOUT_MS = 2000

const failed = (reason: string, details?: { cause: unknown }): SealwireError =>
  new SealwireError("ERR_STORE", `the session store ${reason}`, details)

function failureOf(cause: unknown): SealwireError {
  return cause instanceof SealwireError ? cause : failed("failed", { cause })
}

async function answerInTime<Answer>(answered: Promise<Answer>): Promise<Answer> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(failed(`did not answer within ${TIMEOUT_MS} ms`))
    }, TIMEOUT_MS)
  })
  try {
    return await Promise.race([answered, late])
  } catch (error) {
    throw failureOf(error)
  } finally {
    clearTimeout(timer)
  }
}

function ask<Answer>(question: () => MaybePromise<Answer>): MaybePromise<Answer> {
  let answer: MaybePromise<Answer>
  try {
    answer = question()
  } catch (error) {
    throw failureOf(error)
  }
  return isLater(answer) ? answerInTime(answer) : answer
}

/** What a database's driver says of a change is truthy, whatever it changed. */
function verdictOf(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer
  throw failed("answered neither true nor false")
}

/** The same store, of which what requests ask is bounded; what operators ask may take its time. */
export function askedStore<Content>(store: SessionStore<Content>): SessionStore<Content> {
  return {
    ...(store.inProcess && { inProcess: true }),
    add: (id, offer, limits, nowMs) => ask(() => store.add(id, offer, limits, nowMs)),
    open: (id, session, nowMs) =>
      andThen(
        ask(() => store.open(id, session, nowMs)),
        verdictOf,
      ),
    find: (id, nowMs) => ask(() => store.find(id, nowMs)),
    idOfKey: (keyId, nowMs) => ask(() => store.idOfKey(keyId, nowMs)),
    touch: (id, endsAtMs, nowMs) =>
      andThen(
        ask(() => store.touch(id, endsAtMs, nowMs)),
        verdictOf,
      ),
    end: (id) =>
      andThen(
        ask(() => store.end(id)),
        verdictOf,
      ),
    endAll: (principal) => store.endAll(principal),
    sweep: (nowMs) => store.sweep(nowMs),
    list: (principal, nowMs) => store.list(principal, nowMs),
  }
}
