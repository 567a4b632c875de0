/**
 * What is due in a ring at a moment, as a pure function of the two: when the next key is planned, and which keys are destroyed.
 * docs/protocol.md §7, last paragraph.
 *
 * @module
 */

import { type KeyRecord, type RingState, stateOf, successorOf } from "./state.ts"
import { keepMs, leadMs } from "./terms.ts"

/** What is due. */
export interface DueSteps {
  /** From when a next key is to be published; undefined while none is due. It is planned now, and known to all servers then. */
  readonly nextFromMs: number | undefined
  /** Names of retired keys that no fresh message can be sealed to. */
  readonly destroy: readonly string[]
}

const NOTHING: DueSteps = { nextFromMs: undefined, destroy: [] }

/** When a retired key may be destroyed: the later of what was promised when it was retired, and what the terms say today. */
export function destroyableFromMs(
  { retiredFromMs, destroyFromMs = 0 }: KeyRecord,
  { terms }: RingState,
): number | undefined {
  return retiredFromMs === undefined ? undefined : Math.max(destroyFromMs, retiredFromMs + keepMs(terms))
}

/** A key that came as `pending`, without a plan: the next one, where there is one. */
export function waitingKey({ keys }: RingState): KeyRecord | undefined {
  return keys.find(
    ({ activeFromMs, retiredFromMs }) => activeFromMs === undefined && retiredFromMs === undefined,
  )
}

function nextFromMs(state: RingState, nowMs: number): number | undefined {
  const { terms, keys } = state
  const pendingMs = terms.pendingSeconds * 1000
  const current = successorOf(state)
  // nobody can have sealed to a ring that never had a key; a ring of retired keys has readers that must learn of the next
  if (!current) return keys.length === 0 ? nowMs : nowMs + pendingMs
  if (terms.rotateEverySeconds === 0) return undefined
  const dueMs = (current.activeFromMs ?? 0) + terms.rotateEverySeconds * 1000
  return nowMs < dueMs - pendingMs ? undefined : Math.max(dueMs, nowMs + pendingMs)
}

/** What is due. Nothing is, while this clock says that the ring was saved in the future: it would be early in all it does. */
export function dueSteps(state: RingState, nowMs: number): DueSteps {
  const { terms, keys, savedAtMs } = state
  if (savedAtMs > nowMs + 2000 * terms.clockErrorSeconds) return NOTHING
  const destroyable = keys.filter(
    (key) =>
      terms.destroyRetired &&
      key.heldFor === undefined &&
      stateOf(key, nowMs) === "retired" &&
      nowMs >= (destroyableFromMs(key, state) ?? Infinity),
  )
  return { nextFromMs: nextFromMs(state, nowMs), destroy: destroyable.map(({ kid }) => kid) }
}

/** The soonest that a rotation asked for now can publish the next key. */
export function rotationFromMs(state: RingState, nowMs: number, urgent: boolean): number {
  if (state.keys.length === 0) return nowMs
  const soonestMs = nowMs + leadMs(state.terms)
  if (urgent) return soonestMs
  const storedMs = waitingKey(state)?.createdAtMs ?? nowMs
  return Math.max(soonestMs, storedMs + state.terms.pendingSeconds * 1000)
}
