/**
 * One fault as a message's sender sees it: what comes back before, while and after.
 *
 * @module
 */

import { randomBytes } from "node:crypto"

import { createReplayGuard, type ReplayGuard } from "../../src/replay/guard.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import type { Outcome } from "./fault-table.ts"

/** How the guard and the store of a scenario see time. */
export const TIMES = { maxSkewSeconds: 0, clockErrorSeconds: 1 } as const
/** The guard's; a scenario waits that long when a server does not answer. */
export const STORE_TIMEOUT_MS = 1000
const PATIENCE_MS = 15_000
const RETRY_MS = 200

/** A message, as far as a guard looks at it. */
export interface Message {
  readonly claimId: string
  readonly issuedAtSeconds: number
}

/** A message that is sent now, by a clock. */
export function sendMessage(clock: () => number = Date.now): Message {
  return {
    claimId: randomBytes(32).toString("base64url"),
    issuedAtSeconds: Math.floor(clock() / 1000),
  }
}

/** A guard with the times of all scenarios. */
export function scenarioGuard(store: ReplayStore, clock: () => number = Date.now): ReplayGuard {
  return createReplayGuard({ store, clock, storeTimeoutMs: STORE_TIMEOUT_MS, ...TIMES })
}

/** Delivers a message: `"accepted"`, or the code of the refusal. */
export async function deliver(guard: ReplayGuard, message: Message): Promise<string> {
  try {
    await guard.admit({ ...message, nowMs: guard.now(), keyMadeAtMs: undefined })
    return "accepted"
  } catch (error) {
    return `\`${(error as { code: string }).code}\``
  }
}

/** Delivers new messages until one is accepted; the first answer that is a decision of the guard, and that one. */
async function deliverUntilAccepted(guard: ReplayGuard): Promise<string> {
  const start = performance.now()
  let first: string | undefined
  while (performance.now() - start < PATIENCE_MS) {
    const answer = await deliver(guard, sendMessage(guard.now))
    if (answer === "accepted") return first === undefined ? answer : `${first}, then accepted`
    if (answer !== "`ERR_STORE`") first ??= answer
    await pause(RETRY_MS)
  }
  return `${first ?? "`ERR_STORE`"}, for ever`
}

/** Delivers a copy of a message until the store can say what it is. */
async function deliverCopy(guard: ReplayGuard, message: Message): Promise<string> {
  const start = performance.now()
  let answer = await deliver(guard, message)
  while (answer === "`ERR_STORE`" && performance.now() - start < PATIENCE_MS) {
    await pause(RETRY_MS)
    answer = await deliver(guard, message)
  }
  return answer
}

/** A store, and how to put a new one in its place, as a process that starts again does. */
export function replaceable(create: () => ReplayStore): { readonly store: ReplayStore; replace(): void } {
  let current = create()
  return {
    store: {
      claim: (id, expiresAtMs) => current.claim(id, expiresAtMs),
      knowsSince: () => current.knowsSince?.() ?? 0,
    },
    replace() {
      current = create()
    },
  }
}

/** A process that starts with a wrong clock, and again with the right one: `create` opens a store with a clock. */
export async function startWithWrongClock(
  create: (clock: () => number) => Promise<ReplayStore>,
  stepMs: number,
): Promise<Fault> {
  const wrongClock = (): number => Date.now() + stepMs
  const right = await create(Date.now)
  const following = [right, await create(wrongClock), right]
  let clock = Date.now
  const { store, replace } = replaceable(() => following.shift() ?? right)
  return {
    store,
    clock: () => clock(),
    begin() {
      clock = wrongClock
      replace()
    },
    end() {
      clock = Date.now
      replace()
    },
  }
}

/** What happens in a fault. */
export interface Fault {
  readonly store: ReplayStore
  readonly clock?: () => number
  /** Makes it happen. */
  readonly begin: () => unknown
  /** Ends it; absent when it is over at once. */
  readonly end?: () => unknown
}

/** Runs a fault between two deliveries of one message; every copy of it after the first must be refused. */
export async function runFault({ store, clock, begin, end }: Fault): Promise<Outcome> {
  const guard = scenarioGuard(store, clock)
  const message = sendMessage(clock)
  const before = await deliver(guard, message)
  if (before !== "accepted") throw new Error(`the message before the fault got ${before}`)
  await begin()
  const during = end ? await deliver(guard, sendMessage(clock)) : ""
  const copyDuring = end && (await deliver(guard, message))
  await end?.()
  const copy = await deliverCopy(guard, message)
  const fresh = await deliverUntilAccepted(guard)
  const copyLater = await deliver(guard, message)
  if ([copyDuring, copy, copyLater].includes("accepted")) throw new Error("a message was accepted twice")
  return { during, copy, fresh }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
