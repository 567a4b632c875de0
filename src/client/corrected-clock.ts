/**
 * How far the server's clock is ahead of this one. docs/protocol.md §8, `stale`: only an authentic answer corrects it, and it
 * belongs to one client, and so to one origin.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"

/** `iat` has ten digits (docs/protocol.md §3.1). */
const isTime = (seconds: unknown): seconds is number =>
  Number.isSafeInteger(seconds) && Number(seconds) >= 1e9 && Number(seconds) < 1e10

/** A clock, corrected. */
export class CorrectedClock {
  readonly #clock: Clock
  #offsetMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Unix milliseconds, as the server has them. */
  nowMs(): number {
    return this.#clock() + this.#offsetMs
  }

  /**
   * Takes the server's time, in Unix seconds, at this moment.
   *
   * @returns The new offset in milliseconds; undefined for what is not a time.
   */
  correct(serverSeconds: unknown): number | undefined {
    if (!isTime(serverSeconds)) return undefined
    this.#offsetMs = serverSeconds * 1000 - this.#clock()
    return this.#offsetMs
  }
}
