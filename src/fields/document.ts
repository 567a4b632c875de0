/**
 * Documents with sealed fields: what may be one, how places are chosen and emptied, and what binds the rest. docs/protocol.md §11.
 *
 * @module
 */

import { type Bytes, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { serializeJson } from "../base/canonical-json.ts"
import { copyJson, isJsonObject, type JsonObject } from "../base/json-value.ts"
import { copyBytes, describe } from "../base/text.ts"
import { parseStrictJson } from "./json-text.ts"
import { find, formatPointer, memberOf, parentOf, parsePointer, put, type Segments } from "./pointer.ts"

/**
 * Reads a document: a copy that shares nothing with the caller's.
 *
 * @throws `TypeError` for text that is not strict JSON, values that JSON cannot carry, and anything but an object.
 */
export function readDocument(document: string | object, name: string): JsonObject {
  const value = typeof document === "string" ? parseStrictJson(document, name) : copyJson(document, name)
  if (isJsonObject(value)) return value
  throw new TypeError(`${name} must be a JSON object, as text or as a value, not ${describe(value)}`)
}

/** `lp(outer context) ‖ lp(RFC 8785 of the clear rest)`, which is a copy of {@link readDocument}'s. */
export function fieldsContext(outer: Bytes, rest: JsonObject): Bytes {
  return concatPrefixed(NOTHING, [outer, copyBytes(serializeJson(rest), "document")])
}

/**
 * Checks that a document leaves a member to the protocol.
 *
 * @throws `RangeError`
 */
export function assertLacks(document: JsonObject, member: string): void {
  if (Object.hasOwn(document, member)) throw new RangeError(`document has a member "${member}" already`)
}

/** A caller's pattern; an optional one may find nothing. */
export interface Wanted {
  readonly pattern: Segments
  readonly isOptional: boolean
}

/** Places by their pointers. */
export type Places = Map<string, Segments>

/** The pointer of a place that `*` may have led to. */
function pointerOf(place: Segments): string {
  const pointer = formatPointer(place)
  if (parsePointer(pointer)) return pointer
  throw new RangeError(
    `document has a member that cannot be sealed, by its name: ${pointer} (it is "*", or reaches a prototype)`,
  )
}

/**
 * Finds the places that patterns name.
 *
 * @throws `RangeError` when one that must be there is not, or the document has another shape than a pattern wants: what is
 *   not found would go out in clear.
 */
export function choosePlaces(document: JsonObject, wanted: readonly Wanted[]): Places {
  const chosen: Places = new Map()
  for (const { pattern, isOptional } of wanted) {
    const { places, isMissing, blocks } = find(document, pattern)
    const [block] = blocks
    if (block) {
      const at = formatPointer(block)
      throw new RangeError(`document has no members at ${at}, where ${formatPointer(pattern)} wants some`)
    }
    if (isMissing && !isOptional) throw new RangeError(`document has nothing at ${formatPointer(pattern)}`)
    for (const place of places) chosen.set(pointerOf(place), place)
  }
  return chosen
}

/** The pointer of a chosen place around this one, or of the place itself where `orAt`. */
export function chosenAround(places: ReadonlySet<string>, place: Segments): string | undefined {
  for (let length = 1; length <= place.length; length++) {
    const pointer = formatPointer(place.slice(0, length))
    if (places.has(pointer)) return pointer
  }
  return undefined
}

/**
 * Takes values out of a document: a member goes, an array element becomes `null`.
 *
 * @returns `{pointer: value}`, what is to be sealed.
 * @throws `RangeError` when one place is inside another.
 */
export function takeOut(document: JsonObject, places: Places): JsonObject {
  const pointers = new Set(places.keys())
  const taken: JsonObject = {}
  for (const [pointer, place] of places) {
    const around = chosenAround(pointers, place)
    if (around !== pointer) throw new RangeError(`fields overlap: ${pointer} is inside ${String(around)}`)
    const value = memberOf(parentOf(document, place), place.at(-1) ?? "")
    if (value !== undefined) taken[pointer] = value
  }
  for (const place of places.values()) put(parentOf(document, place), place.at(-1) ?? "", undefined)
  return taken
}
