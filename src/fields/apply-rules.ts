/**
 * The rules of a policy at work on documents: applied on the way out, held on the way in. Sealing itself is not done here.
 *
 * @module
 */

import type { JsonObject, JsonValue } from "../base/json-value.ts"
import { choosePlaces, type Wanted } from "./document.ts"
import { type Expected, refuseFields } from "./expected.ts"
import { find, formatPointer, memberOf, parentOf, put, type Segments } from "./pointer.ts"
import type { Rule } from "./rules.ts"

const isSealing = ({ treatment }: Rule): boolean => treatment.action === "seal"
const isOther = (rule: Rule): boolean => !isSealing(rule)

/** What a rule looks for in a document on its way out. */
export const wantedBy = ({ pattern, treatment }: Rule): Wanted => ({
  pattern,
  isOptional: !treatment.isRequired,
})

/** What rules look for to seal it. */
export const wantedSealed = (rules: readonly Rule[]): Wanted[] => rules.filter(isSealing).map(wantedBy)

/** What rules expect of sealed fields in a document on its way in. */
export function expectedBy(rules: readonly Rule[]): Expected {
  const patternsThat = (isRequired: boolean): Segments[] =>
    rules
      .filter((rule) => isSealing(rule) && rule.treatment.isRequired === isRequired)
      .map((rule) => rule.pattern)
  return { required: patternsThat(true), neverClear: patternsThat(false), optional: [] }
}

const valueAt = (document: JsonObject, place: Segments): JsonValue =>
  memberOf(parentOf(document, place), place.at(-1) ?? "") ?? null

/**
 * Does to a document what its rules say, save sealing; but what is to be sealed must be where the rules want it.
 *
 * @throws `RangeError` when the document has another shape than a rule wants, or lacks what one requires.
 */
export async function applyRules(rules: readonly Rule[], document: JsonObject): Promise<void> {
  for (const rule of rules) {
    const places = choosePlaces(document, [wantedBy(rule)]).values()
    if (isSealing(rule)) continue
    for (const place of places) {
      const value = await rule.treatment.apply(valueAt(document, place))
      put(parentOf(document, place), place.at(-1) ?? "", value)
    }
  }
}

/**
 * Checks that each rule but those that seal has been applied to a document.
 *
 * @throws `SealwireError` `ERR_FIELDS`
 */
export function assertApplied(rules: readonly Rule[], document: JsonObject): void {
  for (const { pattern, treatment } of rules.filter(isOther)) {
    const { places, blocks } = find(document, pattern)
    const inArray = (place: Segments): boolean => Array.isArray(parentOf(document, place))
    const isApplied = (place: Segments): boolean =>
      treatment.isApplied(valueAt(document, place)) && (treatment.action !== "drop" || inArray(place))
    if (blocks.length === 0 && places.every(isApplied)) continue
    refuseFields(`${formatPointer(pattern)} did not arrive as "${treatment.action}" leaves it`)
  }
}

/** Whether rules ask more of a document than that some of it is sealed. */
export const askMoreThanSeals = (rules: readonly Rule[]): boolean =>
  rules.some((rule) => isOther(rule) || rule.treatment.isRequired)
