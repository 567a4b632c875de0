/**
 * Opening a document with sealed fields: the envelope of `$sealed`, bound to the clear rest; then what was sealed returns to its
 * places, and the reader's policy is held; then it counts. docs/protocol.md §11 and §3.4.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { canonicalJson } from "../base/canonical-json.ts"
import { openFailed } from "../base/errors.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "../base/json-value.ts"
import { assertOptions } from "../base/options.ts"
import { copyBytes, decodeUtf8 } from "../base/text.ts"
import { readContext } from "../envelope/context.ts"
import { messageLimit } from "../envelope/message.ts"
import type { OpenOptions } from "../envelope/open.ts"
import { receive, type Received } from "../envelope/receive.ts"
import { assertGuard, keySelector } from "../envelope/reader.ts"
import { signerPolicy } from "../envelope/signers.ts"
import { fieldsContext, type Places, readDocument } from "./document.ts"
import { assertExpected, type Expected, refuseFields } from "./expected.ts"
import { OpenedFields } from "./opened-fields.ts"
import { isVacant, parentOf, parsePointer, put, SEALED_MEMBER } from "./pointer.ts"
import { readPatterns } from "./seal-fields.ts"

/** Options of {@link openFields}. */
export interface OpenFieldsOptions extends OpenOptions {
  /**
   * What must arrive sealed: JSON Pointers, in which `*` stands for every element or member that is there. All other names
   * must be there. Together with the two lists below, the only fields that may be sealed.
   */
  readonly mustBeSealed: readonly string[]
  /** What may be absent, but must be sealed where it is there. Default: none. */
  readonly sealedIfPresent?: readonly string[]
  /** What may arrive sealed or in clear. Default: none. */
  readonly maySeal?: readonly string[]
}

const OPTIONS = ["with", "context", "replay", "signedBy", "knownSigners", "maxMessageBytes"]

/** A document that is authentic and does not count yet; `received` as in envelope/receive.ts. */
export interface ReceivedFields {
  readonly received: Received
  /** Whole again: every sealed value is in its place. */
  readonly document: JsonObject
  /** The places whose values were sealed. */
  readonly sealed: Places
}

/** Parts a document from outside into its clear rest and its envelope; all that is none fails as any envelope does. */
export function part(document: string | object): { rest: JsonObject; envelope: string } {
  try {
    const rest = readDocument(document, "document")
    const envelope = rest[SEALED_MEMBER]
    put(rest, SEALED_MEMBER, undefined)
    if (typeof envelope === "string") return { rest, envelope }
  } catch {
    // what is wrong with it is the sender's business, if it has one
  }
  throw openFailed()
}

/** Reads M: `{pointer: value}` in RFC 8785 JSON, which has one text only, and so neither doubles nor odd numbers. */
export function parseSealed(message: Bytes): JsonObject {
  const text = decodeUtf8(message)
  try {
    const value = JSON.parse(text ?? "") as JsonValue
    if (isJsonObject(value) && canonicalJson(value) === text) return value
  } catch {
    // as below
  }
  return refuseFields("what it seals is not canonical JSON")
}

/** Puts sealed values back. All places are found in the clear rest first, so that none can be inside another. */
export function restore(rest: JsonObject, values: JsonObject): Places {
  const sealed: Places = new Map()
  const targets = Object.entries(values).map(([pointer, value]) => {
    const place = parsePointer(pointer)
    const name = place?.at(-1)
    const parent = place && parentOf(rest, place)
    if (place === undefined || name === undefined || !isVacant(parent, name)) {
      return refuseFields("a sealed field has no place in it")
    }
    sealed.set(pointer, place)
    return { parent, name, value }
  })
  for (const { parent, name, value } of targets) put(parent, name, value)
  return sealed
}

/**
 * All but the claim.
 *
 * @throws `SealwireError` `ERR_OPEN_FAILED`, `ERR_KEY_UNAVAILABLE`, `ERR_FIELDS`
 */
export async function receiveFields(
  document: string | object,
  options: OpenOptions,
  expected: Expected,
): Promise<ReceivedFields> {
  assertOptions(options, "options", OPTIONS)
  const { with: reader, context = "", replay, signedBy, knownSigners, maxMessageBytes } = options
  assertGuard(replay)
  const outer = copyBytes(context, "options.context")
  const terms = {
    type: "sw1",
    maxMessageBytes: messageLimit(maxMessageBytes),
    select: keySelector(reader),
    replay,
    ...signerPolicy(signedBy, knownSigners),
  } as const
  const { rest, envelope } = part(document)
  const contextHash = readContext(fieldsContext(outer, rest)).hash
  const received = await receive(envelope, { ...terms, contextHash })
  const sealed = restore(rest, parseSealed(received.authentic.message))
  assertExpected(rest, sealed, expected)
  return { received, document: rest, sealed }
}

/**
 * Opens a document with sealed fields: proves that they belong to this clear rest, that nothing of either was changed, and
 * that what this reader wants sealed came sealed. Only then does the replay guard decide.
 *
 * A document that was stored is opened more than once: for such a one pass `dangerouslyAcceptReplays` as `replay`.
 *
 * @param document - What came from outside: JSON text, or what was parsed from it. Text is better: members of one name and
 *   numbers that a double changes are refused, and no longer seen once they are parsed.
 * @throws `SealwireError` as `open` does, where `ERR_OPEN_FAILED` is also for all that is no document with sealed fields; and
 *   `ERR_FIELDS` when it is authentic, but its sealed fields do not fit the clear rest or the reader's policy.
 *   `TypeError` or `RangeError` for wrong options.
 * @example
 * ```ts
 * import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
 * import { openFields, sealFields } from "sealwire/fields"
 *
 * const replay = createReplayGuard({ store: memoryStore() })
 * const { publicKey, privateKey } = await generateKeyPair()
 * const order = { amount: 120, card: { number: "4111111111111111" } }
 * const text = JSON.stringify(await sealFields(order, { to: publicKey, fields: ["/card/number"] }))
 *
 * const opened = await openFields(text, { with: privateKey, replay, mustBeSealed: ["/card/number"] })
 * opened.document // {"amount":120,"card":{"number":"4111111111111111"}}
 * ```
 */
export async function openFields(
  document: string | object,
  options: OpenFieldsOptions,
): Promise<OpenedFields> {
  assertOptions(options, "options", [...OPTIONS, "mustBeSealed", "sealedIfPresent", "maySeal"])
  const { mustBeSealed, sealedIfPresent = [], maySeal = [], ...openOptions } = options
  const expected = {
    required: readPatterns(mustBeSealed, "options.mustBeSealed"),
    neverClear: readPatterns(sealedIfPresent, "options.sealedIfPresent"),
    optional: readPatterns(maySeal, "options.maySeal"),
  }
  const { received, ...fields } = await receiveFields(document, openOptions, expected)
  return new OpenedFields(await received.admit(), fields)
}
