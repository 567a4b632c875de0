/**
 * The end of an attempt: the caller's signal or a time-out, whichever comes first.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { MAX_DELAY_MS } from "./timing.ts"

/** Ends an attempt from outside. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #caller: AbortSignal | undefined
  readonly #timer: ReturnType<typeof setTimeout>
  readonly #passed: Promise<never>
  #fail: ((reason: unknown) => void) | undefined

  constructor(durationMs: number, caller: AbortSignal | undefined) {
    this.#caller = caller
    this.#passed = new Promise((_, reject) => {
      this.#fail = reject
    })
    // nobody may be waiting when it passes
    this.#passed.catch(() => undefined)
    this.#timer = setTimeout(
      () => {
        this.#pass(new SealwireError("ERR_TIMEOUT", `no answer within ${durationMs} ms`))
      },
      Math.max(0, Math.min(durationMs, MAX_DELAY_MS)),
    )
    caller?.addEventListener("abort", this.#abort)
    if (caller?.aborted) this.#abort()
  }

  /** Aborts with the caller's reason, or with `ERR_TIMEOUT`. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Waits for `work`, but no longer: also where what does the work knows no signals. */
  async wait<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([this.#passed, work])
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
    this.#caller?.removeEventListener("abort", this.#abort)
  }

  #pass(reason: unknown): void {
    this.#controller.abort(reason)
    this.#fail?.(reason)
  }

  readonly #abort = (): void => {
    this.#pass(this.#caller?.reason)
  }
}
