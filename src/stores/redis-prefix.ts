/**
 * How the keys of a store begin.
 *
 * @module
 */

import { describe } from "../base/text.ts"

/**
 * Checks the option `prefix`.
 *
 * @throws `TypeError` for what is no prefix.
 */
export function assertPrefix(prefix: string): void {
  if (typeof prefix === "string" && /^[\x21-\x7a\x7c\x7e]{1,64}$/.test(prefix)) return
  throw new TypeError(
    `options.prefix must be 1 to 64 printable ASCII characters without spaces and braces, not ${describe(prefix)}`,
  )
}
