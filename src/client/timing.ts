/**
 * Time as a client spends it: waits, deadlines, chance. All that a test replaces to live through a minute in no time.
 *
 * @module
 */

/** How a client waits. */
export interface Timing {
  /** Milliseconds, on a scale that never steps back. */
  now(): number
  /** Resolves after a while; rejects at once with the reason of a signal that aborts. */
  sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void>
  /** At least 0, below 1. */
  random(): number
}

/** Longest delay of a timer: a longer one would fire at once. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1

/** Timers and chance of the platform. */
export const platformTiming: Timing = {
  now: () => performance.now(),
  random: () => Math.random(),
  async sleep(durationMs, signal) {
    let wake: ReturnType<typeof setTimeout> | undefined
    let stop: (() => void) | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        signal?.throwIfAborted()
        stop = () => reject(signal?.reason as unknown)
        signal?.addEventListener("abort", stop)
        wake = setTimeout(resolve, Math.min(durationMs, MAX_DELAY_MS))
      })
    } finally {
      clearTimeout(wake)
      if (stop) signal?.removeEventListener("abort", stop)
    }
  },
}
