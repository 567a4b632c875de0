/**
 * Redaction for logs: what a policy protects is not shown. A logger must not fail, so whatever is not JSON is shown as something
 * that is, and a document of another shape than a rule wants loses what stands in the rule's way.
 *
 * @module
 */

import { isJsonObject, type JsonValue } from "../base/json-value.ts"
import { find, memberOf, parentOf, put, SEALED_MEMBER, type Segments } from "./pointer.ts"
import type { Rule } from "./rules.ts"

const MAX_DEPTH = 32

function showObject(source: object, depth: number): JsonValue {
  if (depth > MAX_DEPTH) return "[too deep]"
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) return "[bytes]"
  if (Array.isArray(source)) return source.map((item) => show(item, depth + 1) ?? null)
  const { toJSON } = source as { toJSON?: unknown }
  if (typeof toJSON === "function") return show((toJSON as () => unknown).call(source), depth + 1) ?? null
  const shown = Object.entries(source)
    .filter(([name]) => name !== "__proto__")
    .flatMap(([name, value]: [string, unknown]) => {
      const member = show(value, depth + 1)
      return member === undefined ? [] : [[name, member] as const]
    })
  return Object.fromEntries(shown)
}

/** Any value as JSON; undefined for what JSON leaves out. */
function show(value: unknown, depth: number): JsonValue | undefined {
  switch (typeof value) {
    case "string":
      return value.toWellFormed()
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value + 0 : String(value)
    case "bigint":
      return String(value)
    case "object":
      return value === null ? null : showObject(value, depth)
    default:
      return undefined
  }
}

function hide(document: JsonValue, place: Segments, value: JsonValue | undefined): JsonValue {
  const name = place.at(-1)
  if (name === undefined) return value ?? "[redacted]"
  put(parentOf(document, place), name, value)
  return document
}

/** Shows a document without what the rules protect. Never throws. */
export function redactBy(rules: readonly Rule[], document: unknown): JsonValue {
  try {
    let shown = show(document, 0)
    // text may be a document that nobody has parsed
    if (typeof shown !== "object" || shown === null) return "[redacted]"
    if (isJsonObject(shown) && Object.hasOwn(shown, SEALED_MEMBER)) shown[SEALED_MEMBER] = "[sealed]"
    for (const { pattern, treatment } of rules) {
      const { places, blocks } = find(shown, pattern)
      for (const place of places) {
        const value = memberOf(parentOf(shown, place), place.at(-1) ?? "") ?? null
        shown = hide(shown, place, treatment.redact(value))
      }
      for (const place of blocks) shown = hide(shown, place, "[redacted]")
    }
    return shown
  } catch {
    // a getter or a toJSON of the document
    return "[redacted]"
  }
}
