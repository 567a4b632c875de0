/**
 * What a reader expects of a document's fields: which must arrive sealed, and which may. docs/protocol.md §11.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { JsonObject } from "../base/json-value.ts"
import { chosenAround, type Places } from "./document.ts"
import { find, formatPointer, matches, type Segments } from "./pointer.ts"

/** A reader's policy. What may be sealed is what is in one of the three lists. */
export interface Expected {
  /** Must be there, and sealed. */
  readonly required: readonly Segments[]
  /** Must be sealed where they are there. */
  readonly neverClear: readonly Segments[]
  /** May arrive in either way. */
  readonly optional: readonly Segments[]
}

/** Authentic, and still not what the reader wants. Names the reader's own patterns only: what was sealed may be secret. */
export function refuseFields(reason: string): never {
  throw new SealwireError("ERR_FIELDS", `the document is authentic, but ${reason}`)
}

function assertSealed(document: JsonObject, pattern: Segments, sealed: ReadonlySet<string>): boolean {
  const { places, isMissing, blocks } = find(document, pattern)
  if (blocks.length > 0) refuseFields(`it has another shape than ${formatPointer(pattern)}`)
  if (!places.every((place) => chosenAround(sealed, place) !== undefined)) {
    refuseFields(`${formatPointer(pattern)} arrived in clear`)
  }
  return isMissing
}

/**
 * Checks that what must be there is, in a document that was sealed as a whole.
 *
 * @throws `SealwireError` `ERR_FIELDS`
 */
export function assertRequired(document: JsonObject, { required }: Expected): void {
  for (const pattern of required) {
    const { isMissing, blocks } = find(document, pattern)
    if (isMissing || blocks.length > 0) refuseFields(`${formatPointer(pattern)} is missing`)
  }
}

/**
 * Compares a document, its sealed values in their places, with the reader's policy.
 *
 * @param sealed - The places whose values were sealed.
 * @throws `SealwireError` `ERR_FIELDS`
 */
export function assertExpected(document: JsonObject, sealed: Places, expected: Expected): void {
  const { required, neverClear, optional } = expected
  const allowed = [...required, ...neverClear, ...optional]
  for (const place of sealed.values()) {
    if (!allowed.some((pattern) => matches(pattern, place))) refuseFields("a field is sealed that may not be")
  }
  const pointers = new Set(sealed.keys())
  for (const pattern of neverClear) assertSealed(document, pattern, pointers)
  for (const pattern of required) {
    if (assertSealed(document, pattern, pointers)) refuseFields(`${formatPointer(pattern)} is missing`)
  }
}
