/**
 * A floor under the time of refusals: however early a message fails, its refusal goes out at the same moment, counted from when
 * it came. Otherwise the time would tell what the bytes do not: a failed unwrap alone takes Node 10 to 30 µs more than a good one.
 *
 * @module
 */

/** Waits for the end of a time that began when this was made. */
export interface Floor {
  readonly reached: Promise<void>
  /** For a request that needs no floor after all. */
  cancel(): void
}

/** Starts the time: before the work, so that its end does not depend on the work's. */
export function startFloor(durationMs: number): Floor {
  let timer: ReturnType<typeof setTimeout> | undefined
  const reached = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      resolve()
    }, durationMs)
  })
  return {
    reached,
    cancel() {
      clearTimeout(timer)
    },
  }
}
