/**
 * JSON from outside. What was opened is trusted no more than any other input.
 *
 * @module
 */

import { SealwireError } from "./errors.ts"

/** Names that reach a prototype when objects are merged or assigned by path; written plainly or with escapes. */
const SUSPECT = /__proto__|constructor|\\u/

function refuseMember(this: unknown, name: string, value: unknown): unknown {
  const reachesPrototype = typeof value === "object" && value !== null && Object.hasOwn(value, "prototype")
  if (name === "__proto__" || (name === "constructor" && reachesPrototype)) throw new TypeError(name)
  return value
}

/**
 * Parses JSON, and refuses members that would reach a prototype (`__proto__`, `constructor` with a `prototype`).
 *
 * @throws `SealwireError` `ERR_MESSAGE_FORMAT`, without the cause: the platform's own error quotes the text.
 */
export function parseJson(text: string): unknown {
  try {
    return SUSPECT.test(text) ? JSON.parse(text, refuseMember) : JSON.parse(text)
  } catch {
    throw new SealwireError(
      "ERR_MESSAGE_FORMAT",
      "the message is not JSON, or has a member that reaches a prototype",
    )
  }
}
