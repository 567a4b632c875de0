/**
 * Rules from a JSON Schema: an annotation such as `"x-sensitivity": "restricted"` beside a property says how sensitive it is, and
 * the caller says what happens to that. An annotation in a place that is not understood is an error, never ignored.
 *
 * @module
 */

import { isJsonObject, type JsonObject, type JsonValue } from "../base/json-value.ts"
import { describe } from "../base/text.ts"
import { ANY, formatPointer, type Segments } from "./pointer.ts"

/** A place in documents of a schema, and its annotation. */
export interface Annotated {
  readonly pattern: Segments
  readonly level: string
}

/** Keywords whose schemas describe the same place. */
const SAME_PLACE = ["allOf", "anyOf", "oneOf", "if", "then", "else"]
const REFERENCE = /^#\/(\$defs|definitions)\/([^/~%]+)$/

/** A schema on the way through the whole. */
interface Step {
  readonly schema: JsonObject
  /** The places in documents that it describes. */
  readonly pattern: Segments
  /** The references that led here. */
  readonly references: readonly string[]
}

interface Reading {
  readonly root: JsonObject
  readonly annotation: string
  readonly found: Annotated[]
  /** The schemas whose annotation is in `found`. */
  readonly read: Set<JsonObject>
}

const placeOf = (pattern: Segments): string => (pattern.length === 0 ? "the root" : formatPointer(pattern))

const membersOf = (value: JsonValue | undefined): [string, JsonValue][] =>
  isJsonObject(value) ? Object.entries(value) : []

function readLevel({ annotation, found, read }: Reading, { schema, pattern }: Step): void {
  if (!Object.hasOwn(schema, annotation)) return
  const level = schema[annotation]
  if (typeof level !== "string") {
    throw new TypeError(`${annotation} at ${placeOf(pattern)} must be a string, not ${describe(level)}`)
  }
  if (pattern.length === 0) throw new RangeError(`${annotation} is of the whole document: seal that`)
  read.add(schema)
  found.push({ pattern, level })
}

/** Follows `"$ref": "#/$defs/<name>"`. */
function referenced({ root }: Reading, { schema, pattern, references }: Step): Step | undefined {
  const { $ref: reference } = schema
  if (typeof reference !== "string") return undefined
  const [, keyword = "", name = ""] = REFERENCE.exec(reference) ?? []
  const target = membersOf(root[keyword]).find(([member]) => member === name)?.[1]
  if (!isJsonObject(target)) {
    throw new RangeError(
      `options.schema has a $ref at ${placeOf(pattern)} that is not "#/$defs/<name>" of its own`,
    )
  }
  if (references.includes(reference)) {
    throw new RangeError(`options.schema has a circle of references at ${placeOf(pattern)}`)
  }
  return { schema: target, pattern, references: [...references, reference] }
}

/** The schemas that a schema is made of, with what they describe. */
function partsOf({ schema, pattern, references }: Step): Step[] {
  const parts: Step[] = []
  const add = (part: JsonValue | undefined, ...segments: string[]): void => {
    if (isJsonObject(part)) parts.push({ schema: part, pattern: [...pattern, ...segments], references })
  }
  for (const keyword of SAME_PLACE) for (const part of [schema[keyword]].flat()) add(part)
  for (const [name, part] of membersOf(schema["properties"])) add(part, name)
  const { prefixItems, items, additionalProperties } = schema
  if (Array.isArray(prefixItems)) for (const [index, part] of prefixItems.entries()) add(part, String(index))
  add(items, ANY)
  add(additionalProperties, ANY)
  return parts
}

function readStep(reading: Reading, step: Step): void {
  readLevel(reading, step)
  const target = referenced(reading, step)
  if (target) readStep(reading, target)
  for (const part of partsOf(step)) readStep(reading, part)
}

/** Finds an annotation that the walk did not read: it stands where it would protect nothing. */
function assertAllRead(reading: Reading, value: JsonValue, at: Segments): void {
  const { annotation, read } = reading
  if (isJsonObject(value) && Object.hasOwn(value, annotation) && !read.has(value)) {
    throw new RangeError(`${annotation} in options.schema at ${formatPointer(at)} applies to nothing`)
  }
  if (typeof value !== "object" || value === null) return
  for (const [name, member] of Object.entries(value)) assertAllRead(reading, member, [...at, name])
}

/**
 * Reads the annotations of a JSON Schema: 2020-12, and what older drafts have in common with it.
 *
 * @throws `TypeError` or `RangeError` for one that would protect nothing, and for schemas that refer to themselves.
 */
export function readSchema(root: JsonObject, annotation: string): readonly Annotated[] {
  const reading: Reading = { root, annotation, found: [], read: new Set() }
  readStep(reading, { schema: root, pattern: [], references: [] })
  assertAllRead(reading, root, [])
  return reading.found
}
