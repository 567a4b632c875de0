/**
 * Canonical JSON (RFC 8785): one value, one text, so that what is hashed or signed can be compared byte for byte.
 *
 * @module
 */

import canonicalize from "canonicalize"

/**
 * Serializes a value that JSON can carry: null, booleans, finite numbers, well-formed strings, arrays and plain objects.
 *
 * @throws `TypeError` for any other value, such as `NaN`, a lone surrogate, a cycle, `undefined`, a `Date` or a `bigint`.
 */
export function canonicalJson(value: unknown): string {
  assertPlain(value, new Set())
  return canonicalize(value) ?? ""
}

/** JSON would drop or change other values without a word. */
function assertPlain(value: unknown, above: Set<object>): void {
  if (value === null || typeof value === "boolean") return
  if (typeof value === "string" && value.isWellFormed()) return
  if (typeof value === "number" && Number.isFinite(value)) return
  if (typeof value !== "object" || above.has(value)) throw new TypeError("not a value that JSON can carry")
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new TypeError("not a value that JSON can carry")
  }
  above.add(value)
  for (const [name, member] of Object.entries(value)) {
    assertPlain(name, above)
    assertPlain(member, above)
  }
  above.delete(value)
}
