/**
 * Time as a client spends it: waits, deadlines, chance. All that a test replaces to live through a minute in no time.
 *
 * @module
 */

import { Deadline } from "./deadline.ts"

/** How a client waits. */
export interface Timing {
  /** Milliseconds, on a scale that never steps back. */
  now(): number
  /** Resolves after a while; rejects at once with the reason of a signal that aborts. */
  sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void>
  /** At least 0, below 1. */
  random(): number
}

/** Timers and chance of the platform. */
export const platformTiming: Timing = {
  now: () => performance.now(),
  random: () => Math.random(),
  async sleep(durationMs, signal) {
    const deadline = new Deadline(durationMs, signal)
    await deadline.passed.catch(() => undefined)
    deadline.end()
    signal?.throwIfAborted()
  },
}
