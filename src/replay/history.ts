/**
 * Since when a store that starts empty knows all that this process has accepted. docs/protocol.md §4, restart rule.
 *
 * Until the first message is admitted, an empty store is a complete one, so it may count from the time when the library was
 * loaded: whether an application makes its keys or its store first then makes no difference.
 *
 * @module
 */

import { processTime } from "../base/clock.ts"

const loadedAtMs: number = /* @__PURE__ */ processTime()
let hasAdmitted = false

/** Notes that a guard has let a message pass. */
export function noteAdmission(): void {
  hasAdmitted = true
}

/** On the scale of `processTime`. */
export function emptyStoreKnowsSince(): number {
  return hasAdmitted ? processTime() : loadedAtMs
}
