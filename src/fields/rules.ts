/**
 * The rules of a data-protection policy: read, checked against each other, and found in documents.
 *
 * @module
 */

import { equalConstantTime, NOTHING } from "../base/bytes.ts"
import { copyJson, isJsonObject } from "../base/json-value.ts"
import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { type FieldAction, type Hashing, readAction, type Treatment } from "./actions.ts"
import { ANY, formatPointer, parsePattern, type Segments } from "./pointer.ts"
import { readSchema } from "./schema.ts"

/** A rule: what happens to the places of one pattern. */
export interface Rule {
  readonly pattern: Segments
  readonly treatment: Treatment
}

/** Where rules come from. */
export interface RuleSources {
  /**
   * JSON Pointers, in which `*` stands for every element or member, and what happens to the fields that they name. A field
   * may be absent.
   */
  readonly rules?: Readonly<Record<string, FieldAction>>
  /** A JSON Schema whose annotations say how sensitive its properties are. */
  readonly schema?: object
  /** What happens to each level that the schema's annotations name; `"keep"` leaves it in clear. */
  readonly sensitivity?: Readonly<Record<string, FieldAction | "keep">>
  /** The annotation's keyword. Default: `"x-sensitivity"`. */
  readonly annotation?: string
}

function schemaRules(
  { schema, sensitivity, annotation = "x-sensitivity" }: RuleSources,
  hashing: Hashing | undefined,
): Rule[] {
  if (schema === undefined && sensitivity === undefined) return []
  const copy = copyJson(schema, "options.schema")
  if (!isJsonObject(copy))
    throw new TypeError(`options.schema must be a JSON Schema, not ${describe(schema)}`)
  assertOptions(sensitivity ?? {}, "options.sensitivity", Object.keys(sensitivity ?? {}))
  const actions = new Map(Object.entries(sensitivity ?? {}))
  return readSchema(copy, annotation).flatMap(({ pattern, level }) => {
    const pointer = formatPointer(pattern)
    const action = actions.get(level)
    if (action === undefined) {
      throw new RangeError(
        `options.sensitivity does not say what happens to "${level}", the level of ${pointer}`,
      )
    }
    if (action === "keep") return []
    return {
      pattern: parsePattern(pointer, "options.schema"),
      treatment: readAction(action, pointer, hashing),
    }
  })
}

/** Reads the rules of one policy. */
export function readRules(sources: RuleSources, hashing: Hashing | undefined): Rule[] {
  const { rules = {} } = sources
  assertOptions(rules, "options.rules", Object.keys(rules))
  const own = Object.entries(rules).map(([pointer, action]) => ({
    pattern: parsePattern(pointer, "options.rules"),
    treatment: readAction(action, pointer, hashing),
  }))
  return [...own, ...schemaRules(sources, hashing)]
}

/** Whether a place of one pattern can be, or be inside, a place of the other. */
function overlap(a: Segments, b: Segments): boolean {
  const [shorter, longer] = a.length < b.length ? [a, b] : [b, a]
  return shorter.every(
    (segment, index) => [segment, longer[index]].includes(ANY) || segment === longer[index],
  )
}

function doTheSame(a: Treatment, b: Treatment): boolean {
  return a.description === b.description && equalConstantTime(a.key ?? NOTHING, b.key ?? NOTHING)
}

/**
 * Joins rules; the order does not matter.
 *
 * @throws `RangeError` when two rules could meet in one place and differ: which one wins must not be a matter of order.
 */
export function joinRules(rules: readonly Rule[]): readonly Rule[] {
  const joined: Rule[] = []
  for (const rule of rules) {
    const other = joined.find(({ pattern }) => overlap(pattern, rule.pattern))
    const pointer = formatPointer(rule.pattern)
    if (!other) joined.push(rule)
    else if (formatPointer(other.pattern) !== pointer || !doTheSame(other.treatment, rule.treatment)) {
      throw new RangeError(
        `the rules for ${formatPointer(other.pattern)} and ${pointer} can meet in one place`,
      )
    }
  }
  return joined.sort((a, b) => (formatPointer(a.pattern) < formatPointer(b.pattern) ? -1 : 1))
}
