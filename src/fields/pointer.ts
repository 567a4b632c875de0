/**
 * JSON Pointers (RFC 6901), and patterns: pointers in which `*` stands for every element or member. docs/protocol.md §11.
 * A pointer names one place and never has a `*`; a pattern is a caller's own.
 *
 * @module
 */

import { isJsonObject, type JsonValue } from "../base/json-value.ts"
import { describe } from "../base/text.ts"

/** The names on the way to a place; `*` in a pattern only. */
export type Segments = readonly string[]

/** The member that holds the envelope. */
export const SEALED_MEMBER = "$sealed"

/** The member of an HTTP message's document that is its head; always sealed. */
export const HEAD_MEMBER = "$head"

export const ANY = "*"

const REACH_PROTOTYPE = new Set(["__proto__", "constructor", "prototype"])

const INDEX = /^(?:0|[1-9]\d*)$/

/** Why a place can never be sealed; undefined when it can. */
function fault([first, ...rest]: Segments): string | undefined {
  if (first === undefined) return "names the whole document"
  if (first === SEALED_MEMBER) return "names the envelope itself"
  if ([first, ...rest].some((segment) => REACH_PROTOTYPE.has(segment))) return "reaches a prototype"
  return undefined
}

/** Splits and decodes (RFC 6901 §4); undefined for what is not a pointer. */
function decode(text: string): Segments | undefined {
  if (text === "") return []
  if (!text.startsWith("/") || /~(?![01])/.test(text) || !text.isWellFormed()) return undefined
  // "~1" first: "~01" is "~1", not "/"
  return text
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"))
}

/** Reads a pointer from outside; undefined when it names no place that may be sealed. */
export function parsePointer(text: string): Segments | undefined {
  const segments = decode(text)
  return segments && !fault(segments) && !segments.includes(ANY) ? segments : undefined
}

/**
 * Reads a caller's pattern.
 *
 * @throws `TypeError` naming the argument and the fault.
 */
export function parsePattern(text: string, name: string): Segments {
  if (typeof text !== "string") throw new TypeError(`${name} must be a JSON Pointer, not ${describe(text)}`)
  const segments = decode(text)
  if (!segments) {
    throw new TypeError(
      `${name} is not a JSON Pointer such as "/card/number" or "/items/*/note": ${JSON.stringify(text)}`,
    )
  }
  const reason = fault(segments)
  if (reason !== undefined) throw new TypeError(`${name} ${reason}: ${JSON.stringify(text)}`)
  return segments
}

/** Writes a pointer, or a pattern. */
export function formatPointer(segments: Segments): string {
  return segments.map((segment) => `/${segment.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
}

/** Whether a place is one of those that a pattern names. */
export function matches(pattern: Segments, pointer: Segments): boolean {
  return (
    pattern.length === pointer.length &&
    pattern.every((segment, index) => segment === ANY || segment === pointer[index])
  )
}

/** What a pattern finds in a document. */
export interface Found {
  readonly places: Segments[]
  /** A name on the way was not there. What `*` stands for is always all there is. */
  isMissing: boolean
  /** Values on the way that have no such members: text where the pattern wants an object. */
  readonly blocks: Segments[]
}

/** The names behind one segment of a pattern; undefined where the value cannot have any. */
function namesIn(value: JsonValue | undefined, segment: string): readonly string[] | undefined {
  if (Array.isArray(value)) {
    if (segment === ANY) return Object.keys(value)
    if (!INDEX.test(segment)) return undefined
    return Number(segment) < value.length ? [segment] : []
  }
  if (!isJsonObject(value)) return value === null ? [] : undefined
  if (segment === ANY) return Object.keys(value)
  return Object.hasOwn(value, segment) ? [segment] : []
}

/** The value of a member that is known to be there. */
export function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (Array.isArray(value)) return value[Number(name)]
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** Finds every place that a pattern names. */
export function find(document: JsonValue, pattern: Segments): Found {
  const found: Found = { places: [], isMissing: false, blocks: [] }
  const visit = (value: JsonValue | undefined, place: Segments): void => {
    const segment = pattern[place.length]
    if (segment === undefined) {
      found.places.push(place)
      return
    }
    const names = namesIn(value, segment)
    if (names === undefined) found.blocks.push(place)
    else if (names.length === 0 && (segment !== ANY || value === null)) found.isMissing = true
    for (const name of names ?? []) visit(memberOf(value, name), [...place, name])
  }
  visit(document, [])
  return found
}

/** The value around a place; undefined when a name on the way is not there. */
export function parentOf(document: JsonValue, [...names]: Segments): JsonValue | undefined {
  names.pop()
  let value: JsonValue | undefined = document
  for (const name of names) value = namesIn(value, name)?.length ? memberOf(value, name) : undefined
  return value
}

/** Whether a sealed value may return to a place: an object lacks the member, an array holds `null` there. */
export function isVacant(parent: JsonValue | undefined, name: string): boolean {
  if (Array.isArray(parent)) return namesIn(parent, name)?.length === 1 && memberOf(parent, name) === null
  return isJsonObject(parent) && !Object.hasOwn(parent, name)
}

/** Puts a value at a place whose parent is known, or takes what is there away: then an array keeps a `null`. */
export function put(parent: JsonValue | undefined, name: string, value: JsonValue | undefined): void {
  if (Array.isArray(parent)) parent[Number(name)] = value ?? null
  else if (isJsonObject(parent)) {
    if (value === undefined) Reflect.deleteProperty(parent, name)
    else parent[name] = value
  }
}
