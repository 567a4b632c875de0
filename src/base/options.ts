/**
 * Options objects: unknown names and wrong kinds are the caller's mistake, said at once.
 *
 * @module
 */

import { describe } from "./text.ts"

/**
 * Checks that `options` is an object with no other names than `known`.
 *
 * @throws `TypeError` naming the argument and what came.
 */
export function assertOptions(options: object, name: string, known: readonly string[]): void {
  if (typeof options !== "object" || (options as unknown) === null) {
    throw new TypeError(`${name} must be an object, not ${describe(options)}`)
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key))
      throw new TypeError(`${name} has no option "${key}"; it takes ${known.join(", ")}`)
  }
}

/**
 * Checks that an option is a whole number in a range.
 *
 * @throws `RangeError` naming the option, the range and what came.
 */
export function assertInteger(value: number, name: string, lowest: number, highest: number): void {
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${name} must be a whole number from ${lowest} to ${highest}, not ${String(value)}`)
  }
}

/**
 * Checks that an option is a function.
 *
 * @throws `TypeError` naming the option and what came.
 */
export function assertFunction(value: unknown, name: string): void {
  if (typeof value !== "function") throw new TypeError(`${name} must be a function, not ${describe(value)}`)
}
