/**
 * What a ring knows of its keys, and what follows from it at a moment. Every change is planned ahead, as a time that all servers
 * know before it comes: so they change what they publish together, and none needs the store at that time.
 *
 * @module
 */

import type { KeyState } from "../keys/ring.ts"
import type { KeyRingTerms } from "./terms.ts"

/** How a private key is kept: by which kind of protection, and what that one made of it. */
export interface Kept {
  readonly by: string
  readonly text: string
}

/** A key of a ring. Times are Unix milliseconds. */
export interface KeyRecord {
  readonly kid: string
  readonly createdAtMs: number
  /** Published from then on; undefined while nothing is planned. */
  readonly activeFromMs: number | undefined
  /** No longer published from then on. */
  readonly retiredFromMs: number | undefined
  /** Never destroyed before, by the terms of the time when it was retired. */
  readonly destroyFromMs: number | undefined
  /** What was sealed to it for longer than a message lives, such as files: it is not destroyed. */
  readonly heldFor: string | undefined
  readonly kept: Kept
}

/** All that is stored of a ring. */
export interface RingState {
  readonly terms: KeyRingTerms
  readonly savedAtMs: number
  /** The last change of what is published that no key's times tell of any more. */
  readonly changedAtMs: number
  /** In the order in which they came. */
  readonly keys: readonly KeyRecord[]
}

/** The state of a key at a moment. */
export function stateOf({ activeFromMs, retiredFromMs }: KeyRecord, nowMs: number): KeyState {
  if (retiredFromMs !== undefined && retiredFromMs <= nowMs) return "retired"
  return activeFromMs !== undefined && activeFromMs <= nowMs ? "active" : "pending"
}

/** The keys that are published at a moment: the newest first, which is the one to seal to. */
export function publishedAt({ keys }: RingState, nowMs: number): readonly KeyRecord[] {
  const active = keys.filter((key) => stateOf(key, nowMs) === "active")
  return active.sort((a, b) => (b.activeFromMs ?? 0) - (a.activeFromMs ?? 0))
}

/** The key that has taken over last, or is planned to: nothing is planned to follow it. */
export function successorOf({ keys }: RingState): KeyRecord | undefined {
  const open = keys.filter((key) => key.activeFromMs !== undefined && key.retiredFromMs === undefined)
  return open.reduce<KeyRecord | undefined>(
    (latest, key) => (latest && (latest.activeFromMs ?? 0) >= (key.activeFromMs ?? 0) ? latest : key),
    undefined,
  )
}

/**
 * The directory's `seq`: when what is published changed last, in Unix milliseconds. The same on all servers, and above every earlier
 * one also after a backup was restored, because time went on.
 */
export function seqAt({ keys, changedAtMs }: RingState, nowMs: number): number {
  const changes = keys.flatMap(({ activeFromMs = 0, retiredFromMs = 0 }) => [activeFromMs, retiredFromMs])
  return Math.max(changedAtMs, ...changes.filter((atMs) => atMs <= nowMs))
}
