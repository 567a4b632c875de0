/**
 * Canonical JSON (RFC 8785): one text for one value, so that a hash or a signature of it means the value.
 *
 * @module
 */

import canonicalize from "canonicalize"

import { copyJson } from "./json-value.ts"

/**
 * Writes a value as RFC 8785 says.
 *
 * @param name - What the value is called in an error.
 * @throws `TypeError` for whatever JSON would change or leave out, such as `undefined`, a `Date` or a lone surrogate.
 */
export function canonicalJson(value: unknown, name = "value"): string {
  // never undefined: that is so for undefined, functions and symbols only, and the copy has none
  return canonicalize(copyJson(value, name)) as string
}
