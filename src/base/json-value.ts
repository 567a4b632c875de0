/**
 * JSON values: what RFC 8785 can carry, and nothing that would be changed or dropped on the way.
 *
 * @module
 */

import { describe } from "./text.ts"

/** A JSON object. */
export interface JsonObject {
  [name: string]: JsonValue
}

/** A JSON value (RFC 8259). */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/** Deeper values are refused: a recursion over them could exhaust the stack. */
const MAX_DEPTH = 256

/** A place in a value, linked to the one around it: most are never written out. */
interface Place {
  readonly around: Place | undefined
  readonly member: string
  readonly depth: number
}

const ROOT: Place = { around: undefined, member: "", depth: 0 }

const inside = (around: Place, member: string): Place => ({ around, member, depth: around.depth + 1 })

function at(place: Place): string {
  const members: string[] = []
  for (let here: Place = place; here.around; here = here.around) members.unshift(`/${here.member}`)
  return members.length === 0 ? "" : ` at ${members.join("")}`
}

function refuse(name: string, place: Place, reason: string): never {
  throw new TypeError(`${name} has ${reason}${at(place)}`)
}

function assertText(text: string, name: string, place: Place): void {
  if (!text.isWellFormed()) refuse(name, place, "a lone surrogate, which UTF-8 cannot carry,")
}

function assertNumber(value: number, name: string, place: Place): void {
  if (!Number.isFinite(value)) refuse(name, place, "a number that is not finite")
  if (Object.is(value, -0)) refuse(name, place, "a negative zero, which canonical JSON cannot carry,")
}

function copyArray(source: readonly unknown[], name: string, place: Place): JsonValue[] {
  // Array.from visits holes, too: they are undefined, and refused
  return Array.from(source, (item, index) => copyValue(item, name, inside(place, String(index))))
}

function copyObject(source: object, name: string, place: Place): JsonObject {
  const prototype = Object.getPrototypeOf(source) as object | null
  // the plain objects of another realm, too, have a prototype that has none
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(name, place, "an object of a class, which JSON cannot carry,")
  }
  const copy: JsonObject = {}
  for (const [member, value] of Object.entries(source) as [string, unknown][]) {
    const here = inside(place, member)
    assertText(member, name, place)
    // what base/json.ts refuses: whoever merges the value by path would reach a prototype
    if (member === "__proto__") refuse(name, here, "a member that reaches a prototype")
    const copied = copyValue(value, name, here)
    if (member === "constructor" && isJsonObject(copied) && Object.hasOwn(copied, "prototype")) {
      refuse(name, here, "a member that reaches a prototype")
    }
    copy[member] = copied
  }
  return copy
}

function copyValue(value: unknown, name: string, place: Place): JsonValue {
  if (place.depth > MAX_DEPTH) throw new TypeError(`${name} is nested deeper than ${MAX_DEPTH} levels`)
  if (value === null || typeof value === "boolean") return value
  if (typeof value === "string") {
    assertText(value, name, place)
    return value
  }
  if (typeof value === "number") {
    assertNumber(value, name, place)
    return value
  }
  if (typeof value !== "object") return refuse(name, place, `${describe(value)}, which JSON cannot carry,`)
  return Array.isArray(value) ? copyArray(value, name, place) : copyObject(value, name, place)
}

/** Whether a JSON value is an object, and no array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/**
 * Copies a JSON value; getters are read once, and nothing of the copy is shared with the caller.
 *
 * @param name - What the value is called in an error.
 * @throws `TypeError` naming the place, for what JSON would change or leave out: `undefined`, functions, bigints, objects of a
 *   class (such as a `Date`), numbers that are not finite, `-0`, lone surrogates; for members that reach a prototype; and
 *   beyond 256 levels, which every circle is.
 */
export function copyJson(value: unknown, name: string): JsonValue {
  return copyValue(value, name, ROOT)
}
