/**
 * A limiter in this process: what limits are counted by unless there is a shared one, and while a shared one fails. Each key's window
 * begins with its first request, as in rate-limiter-flexible, so at most 2N - 1 fit into any time of a window's length.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"

/** What a limiter says of one key. */
export interface LimiterState {
  /** How many more requests fit into the window. */
  readonly remainingPoints: number
  /** Milliseconds until the window ends. */
  readonly msBeforeNext: number
}

/** What is used of a limiter of rate-limiter-flexible. */
export interface Limiter {
  /**
   * Counts one request of `key`. Rejects with the {@link LimiterState} when it is one too many, and with an `Error` when the answer
   * is not known.
   */
  consume(key: string): Promise<LimiterState>
}

interface Window {
  count: number
  readonly endsAtMs: number
}

/**
 * Beyond these the oldest window is forgotten. Who can be as many sources as this has more requests than a window could refuse him,
 * while a full table that refused would shut out everybody else.
 */
const MAX_KEYS = 100_000

/** What {@link windowLimiter} takes; the names are those of rate-limiter-flexible. */
export interface WindowOptions {
  /** Requests in a window. */
  readonly points: number
  /** A window's length in seconds. */
  readonly duration: number
}

/** Creates a limiter that holds at most 100,000 windows, and no timer. */
export function windowLimiter({ points, duration }: WindowOptions, clock: Clock): Limiter {
  // in the order in which they end, since all are of one length
  const windows = new Map<string, Window>()

  function sweep(nowMs: number): void {
    for (const [key, { endsAtMs }] of windows) {
      // a clock that was set back would otherwise keep windows for as long as it was off
      const isOver = endsAtMs <= nowMs || endsAtMs > nowMs + duration * 1000
      if (!isOver && windows.size < MAX_KEYS) return
      windows.delete(key)
    }
  }

  function windowOf(key: string, nowMs: number): Window {
    const current = windows.get(key)
    if (current && current.endsAtMs > nowMs) return current
    windows.delete(key)
    const started = { count: 0, endsAtMs: nowMs + duration * 1000 }
    windows.set(key, started)
    return started
  }

  return {
    async consume(key) {
      const nowMs = clock()
      sweep(nowMs)
      const window = windowOf(key, nowMs)
      window.count++
      const state = {
        remainingPoints: Math.max(0, points - window.count),
        msBeforeNext: window.endsAtMs - nowMs,
      }
      // a state, as rate-limiter-flexible has it: being over the limit is no error
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      if (window.count > points) throw state
      return state
    },
  }
}
