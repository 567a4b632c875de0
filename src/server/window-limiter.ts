/**
 * Windows in this process: what limits are counted by unless there is a shared limiter, and while a shared one fails. Each key's window
 * begins with its first request, as in rate-limiter-flexible, so at most 2N - 1 fit into any time of a window's length.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"

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

/** What came of counting one request. */
export interface Count {
  /** How many more fit into the window. */
  readonly remaining: number
  /** Milliseconds until the window ends. */
  readonly endsInMs: number
  /** Whether it is one too many. */
  readonly isExceeded: boolean
}

/** Creates what counts one request of a key. It holds at most 100,000 windows, and no timer. */
export function windowLimiter({ points, duration }: WindowOptions, clock: Clock): (key: string) => Count {
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

  return (key) => {
    const nowMs = clock()
    sweep(nowMs)
    const window = windowOf(key, nowMs)
    window.count++
    const remaining = Math.max(0, points - window.count)
    return { remaining, endsInMs: window.endsAtMs - nowMs, isExceeded: window.count > points }
  }
}
