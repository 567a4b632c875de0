/**
 * The end of an attempt: the caller's signal or a time-out, whichever comes first.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"

/** Longest delay of a timer: a longer one would fire at once. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1

/** Ends an attempt from outside. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #timer: ReturnType<typeof setTimeout>
  readonly #letGo: () => void
  /** Rejects with the caller's reason, or with `ERR_TIMEOUT`. */
  readonly passed: Promise<never>

  constructor(durationMs: number, caller: AbortSignal | undefined) {
    let pass: ((reason: unknown) => void) | undefined
    this.passed = new Promise((_, reject) => {
      pass = (reason) => {
        this.#controller.abort(reason)
        reject(reason)
      }
    })
    // nobody may be waiting when it passes
    this.passed.catch(() => undefined)
    this.#timer = setTimeout(
      () => pass?.(new SealwireError("ERR_TIMEOUT", `no answer within ${durationMs} ms`)),
      Math.max(0, Math.min(durationMs, MAX_DELAY_MS)),
    )
    const abort = (): void => pass?.(caller?.reason)
    caller?.addEventListener("abort", abort)
    if (caller?.aborted) abort()
    this.#letGo = () => caller?.removeEventListener("abort", abort)
  }

  /** Aborts with the caller's reason, or with `ERR_TIMEOUT`. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Waits for `work`, but no longer: also where what does the work knows no signals. */
  async wait<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([this.passed, work])
    } catch (error) {
      // platforms differ in what their own refusal says then
      this.signal.throwIfAborted()
      throw error
    }
  }

  /** Time counts no longer; the caller's signal still does. */
  stopClock(): void {
    clearTimeout(this.#timer)
  }

  /** Nothing counts any longer. */
  end(): void {
    this.stopClock()
    this.#letGo()
  }
}
