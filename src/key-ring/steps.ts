/**
 * The steps of a key's life, from one state of a ring to the next. A step that would lose messages or leave clients without a key
 * is refused.
 *
 * @module
 */

import { destroyableFromMs } from "./schedule.ts"
import { type KeyRecord, type RingState, seqAt, stateOf, successorOf } from "./state.ts"
import { keepMs, leadMs } from "./terms.ts"

const isoOf = (atMs: number): string => new Date(atMs).toISOString()

function recordOf({ keys }: RingState, kid: string): KeyRecord {
  const found = keys.find((key) => key.kid === kid)
  if (found) return found
  throw new RangeError(`the ring has no key ${kid}`)
}

function replaced(state: RingState, changed: KeyRecord): RingState {
  return { ...state, keys: state.keys.map((key) => (key.kid === changed.kid ? changed : key)) }
}

const retiredFrom = (key: KeyRecord, state: RingState, atMs: number): KeyRecord => ({
  ...key,
  retiredFromMs: atMs,
  destroyFromMs: atMs + keepMs(state.terms),
})

/** Adds a key. */
export function withKey(state: RingState, key: KeyRecord): RingState {
  if (state.keys.some(({ kid }) => kid === key.kid))
    throw new RangeError(`the ring already has key ${key.kid}`)
  return { ...state, keys: [...state.keys, key] }
}

/** Plans that `kid` takes over at a moment: it is published from then on, and all others no longer are. */
export function succeed(state: RingState, kid: string, atMs: number): RingState {
  recordOf(state, kid)
  const keys = state.keys.map((key) => {
    if (key.kid === kid) return { ...key, activeFromMs: atMs }
    const isOpen = key.activeFromMs !== undefined && key.retiredFromMs === undefined
    return isOpen ? retiredFrom(key, state, atMs) : key
  })
  return { ...state, keys }
}

/**
 * Refuses to plan another rotation while one is planned.
 *
 * @throws `RangeError`
 */
export function assertNonePlanned(state: RingState, nowMs: number): void {
  const planned = successorOf(state)
  if (!planned || (planned.activeFromMs ?? 0) <= nowMs) return
  throw new RangeError(
    `a rotation is planned already: key ${planned.kid} becomes active at ${isoOf(planned.activeFromMs ?? 0)}`,
  )
}

/** Plans that a key is no longer published, as soon as all servers know. */
export function retire(state: RingState, kid: string, nowMs: number): RingState {
  const key = recordOf(state, kid)
  if (key.retiredFromMs !== undefined) {
    throw new RangeError(`cannot retire key ${kid}: it is retired from ${isoOf(key.retiredFromMs)} on`)
  }
  const atMs = nowMs + leadMs(state.terms)
  const isCovered = state.keys.some(
    (other) =>
      other.kid !== kid && other.retiredFromMs === undefined && (other.activeFromMs ?? Infinity) <= atMs,
  )
  if (key.activeFromMs !== undefined && !isCovered) {
    throw new RangeError(`cannot retire key ${kid}: nobody would have a key to seal to; rotate instead`)
  }
  return replaced(state, retiredFrom(key, state, atMs))
}

/** Forgets a retired key, for good. */
export function destroy(state: RingState, kid: string, nowMs: number, loseMessages: boolean): RingState {
  const key = recordOf(state, kid)
  const refuse = (reason: string): never => {
    throw new RangeError(`cannot destroy key ${kid}: ${reason}`)
  }
  const found = stateOf(key, nowMs)
  if (found !== "retired") refuse(`it is ${found}, not retired`)
  if (key.heldFor !== undefined) refuse(`it is held for ${key.heldFor}`)
  const fromMs = destroyableFromMs(key, state) ?? 0
  if (nowMs < fromMs && !loseMessages) refuse(`messages to it may be fresh until ${isoOf(fromMs)}`)
  // the change that its retirement was must not be undone in `seq`
  const changedAtMs = seqAt({ ...state, keys: [key] }, nowMs)
  return { ...state, changedAtMs, keys: state.keys.filter((other) => other !== key) }
}

/** Marks a key as used for what outlives messages, or no longer. */
export function hold(state: RingState, kid: string, purpose: string | undefined): RingState {
  return replaced(state, { ...recordOf(state, kid), heldFor: purpose })
}
