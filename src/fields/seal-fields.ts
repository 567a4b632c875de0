/**
 * Sealing parts of a document: one envelope and one RSA operation for all of them. docs/protocol.md §11.
 *
 * @module
 */

import { canonicalJson } from "../base/canonical-json.ts"
import type { JsonObject } from "../base/json-value.ts"
import { assertOptions } from "../base/options.ts"
import { copyBytes, describe } from "../base/text.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { type SealOptions, sealTo } from "../envelope/seal.ts"
import type { Fresh } from "../envelope/write.ts"
import { assertLacks, choosePlaces, fieldsContext, readDocument, takeOut, type Wanted } from "./document.ts"
import { parsePattern, SEALED_MEMBER, type Segments } from "./pointer.ts"

/** Options of {@link sealFields}. */
export interface SealFieldsOptions extends SealOptions {
  /**
   * What to seal: JSON Pointers (RFC 6901), in which `*` stands for every element or member that is there. All other names
   * must be there, so that a misspelled one is not sent in clear.
   */
  readonly fields: readonly string[]
  /** More of them, for what may be absent. Default: none. */
  readonly fieldsIfPresent?: readonly string[]
}

const OPTIONS = ["to", "context", "signWith", "maxMessageBytes"]

/** A document whose fields are sealed, and what the reply to its envelope needs. */
export interface SealedDocument {
  readonly document: JsonObject
  readonly end: EnvelopeEnd
}

/** Reads an option that is a list of patterns. */
export function readPatterns(patterns: readonly string[], name: string): readonly Segments[] {
  if (!Array.isArray(patterns))
    throw new TypeError(`${name} must be an array of JSON Pointers, not ${describe(patterns)}`)
  return patterns.map((pattern, index) => parsePattern(pattern as string, `${name}[${index}]`))
}

/**
 * Seals what is wanted out of a document that nobody else holds.
 *
 * @param given - As for `writeEnvelope`.
 */
export async function sealPlaces(
  document: JsonObject,
  wanted: readonly Wanted[],
  { context = "", ...options }: SealOptions,
  given?: Partial<Fresh>,
): Promise<SealedDocument> {
  assertOptions(options, "options", OPTIONS)
  assertLacks(document, SEALED_MEMBER)
  const message = canonicalJson(takeOut(document, choosePlaces(document, wanted)))
  const bound = fieldsContext(copyBytes(context, "options.context"), document)
  const end = await sealTo(message, { ...options, context: bound }, given)
  document[SEALED_MEMBER] = end.envelope
  return { document, end }
}

/** Seals, and keeps what the reply needs; `given` as for `writeEnvelope`. */
export async function sealFieldsTo(
  document: string | object,
  options: SealFieldsOptions,
  given?: Partial<Fresh>,
): Promise<SealedDocument> {
  assertOptions(options, "options", [...OPTIONS, "fields", "fieldsIfPresent"])
  const { fields, fieldsIfPresent = [], ...sealOptions } = options
  const wanted = [
    ...readPatterns(fields, "options.fields").map((pattern) => ({ pattern, isOptional: false })),
    ...readPatterns(fieldsIfPresent, "options.fieldsIfPresent").map((pattern) => ({
      pattern,
      isOptional: true,
    })),
  ]
  if (wanted.length === 0) throw new RangeError("options.fields names nothing to seal")
  return sealPlaces(readDocument(document, "document"), wanted, sealOptions, given)
}

/**
 * Seals selected fields of a JSON document. What stays in clear is bound to them: whoever changes, moves, adds or removes
 * anything in the result makes it unreadable to the recipient.
 *
 * > [!WARNING]
 * > The clear rest is bound, not hidden; which members are absent and which elements are `null` shows where fields were.
 *
 * @param document - An object, or JSON text, which is checked for members of one name and numbers that a double changes. The
 *   document itself is not altered.
 * @returns The clear rest, and the envelope as its member `$sealed`.
 * @throws `RangeError` when a field is not in the document, is inside another, or the document has a `$sealed`;
 *   `TypeError` for a wrong argument, or a value that JSON cannot carry unchanged (`undefined`, a `Date`, `NaN`, `-0` …);
 *   `SealwireError` `ERR_TOO_LARGE` when the sealed values are above `maxMessageBytes`.
 * @example
 * ```ts
 * import { generateKeyPair } from "sealwire"
 * import { sealFields } from "sealwire/fields"
 *
 * const { publicKey } = await generateKeyPair()
 * const order = { amount: 120, card: { brand: "visa", number: "4111111111111111" } }
 * const sealed = await sealFields(order, { to: publicKey, fields: ["/card/number"], context: "orders v1" })
 * sealed.card // {"brand":"visa"}
 * ```
 */
export async function sealFields(document: string | object, options: SealFieldsOptions): Promise<JsonObject> {
  return (await sealFieldsTo(document, options)).document
}
