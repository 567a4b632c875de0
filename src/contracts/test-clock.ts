/**
 * A clock that a test sets.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"

/** A {@link Clock} that stands still until it is told otherwise. */
export interface TestClock extends Clock {
  /** Moves on by milliseconds; backwards when negative. */
  advance(durationMs: number): void
  /** Goes to a moment, in Unix milliseconds. */
  set(nowMs: number): void
}

/**
 * Creates a clock for tests.
 *
 * @param startMs - Unix milliseconds. Default: the moment of the call.
 * @example
 * ```ts
 * import { createReplayGuard, memoryStore } from "sealwire"
 * import { createTestClock } from "sealwire/testing"
 *
 * const clock = createTestClock()
 * const replay = createReplayGuard({ store: memoryStore({ clock }), clock })
 * clock.advance(121_000) // what was sealed before is stale now
 * ```
 */
export function createTestClock(startMs: number = Date.now()): TestClock {
  let nowMs = startMs
  return Object.assign(() => nowMs, {
    advance: (durationMs: number) => {
      nowMs += durationMs
    },
    set: (momentMs: number) => {
      nowMs = momentMs
    },
  })
}
