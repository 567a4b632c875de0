/**
 * Time, as an argument.
 *
 * @module
 */

/** Unix milliseconds. */
export type Clock = () => number

/** The platform's wall clock. */
export const systemClock: Clock = () => Date.now()

/**
 * Unix milliseconds that never step back within a process: the order in which keys and stores came to be
 * (docs/protocol.md §4, restart rule) must survive a clock that is set while the process runs.
 */
export function processTime(): number {
  return performance.timeOrigin + performance.now()
}
