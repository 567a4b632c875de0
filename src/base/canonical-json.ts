/**
 * Canonical JSON (RFC 8785): one text for one value, so that a hash or a signature of it means the value.
 *
 * @module
 */

import { copyJson, type JsonValue } from "./json-value.ts"

/**
 * Writes a value as RFC 8785 says.
 *
 * @param name - What the value is called in an error.
 * @throws `TypeError` for whatever JSON would change or leave out, such as `undefined`, a `Date` or a lone surrogate.
 */
export function canonicalJson(value: unknown, name = "value"): string {
  return serializeJson(copyJson(value, name))
}

/**
 * The same for what a JSON parser gave.
 *
 * @throws `TypeError` for a lone surrogate.
 */
export function serializeJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(serializeJson).join()}]`
  if (typeof value === "object" && value !== null) {
    // §3.2.3: by UTF-16 code units, which is how `sort` compares
    const names = Object.keys(value).sort()
    return `{${names.map((name) => `${serializeJson(name)}:${serializeJson(value[name] ?? null)}`).join()}}`
  }
  if (typeof value === "string" && !value.isWellFormed()) throw new TypeError("a lone surrogate")
  // §3.2.2 takes literals, strings and numbers as ECMAScript writes them
  return JSON.stringify(value)
}
