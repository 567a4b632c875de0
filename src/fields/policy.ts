/**
 * Data-protection policies: one declaration of what happens to which field, applied on the way out, held on the way in,
 * explained to a reviewer, and used for logs.
 *
 * @module
 */

import { backend as platform } from "#backend"

import type { JsonObject, JsonValue } from "../base/json-value.ts"
import { assertOptions } from "../base/options.ts"
import { copyBytes } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import type { OpenOptions } from "../envelope/open.ts"
import type { SealOptions } from "../envelope/seal.ts"
import type { Hashing } from "./actions.ts"
import { applyRules, assertApplied, expectedBy, wantedBy, wantedSealed } from "./apply-rules.ts"
import { offerCodec } from "./codec.ts"
import { choosePlaces, readDocument } from "./document.ts"
import { receiveFields } from "./open-fields.ts"
import { OpenedFields } from "./opened-fields.ts"
import { formatPointer, type Segments } from "./pointer.ts"
import { policyCodec } from "./policy-codec.ts"
import { redactBy } from "./redact.ts"
import { joinRules, readRules, type Rule, type RuleSources } from "./rules.ts"
import { sealPlaces } from "./seal-fields.ts"

/** Options of {@link createPolicy}. */
export interface PolicyOptions extends RuleSources {
  /** Policies whose rules hold, too. Default: none. */
  readonly include?: readonly Policy[]
  /** Key of the rules that hash: 32 random bytes, kept as secret as the values. Required where there is such a rule. */
  readonly hashKey?: Uint8Array
  /** The cryptography that hashes. Default: the platform's. */
  readonly backend?: Backend
}

/** What a policy does at one place of a document. */
export interface FieldEffect {
  /** JSON Pointer of the place. */
  readonly pointer: string
  /** `"keep"`: it leaves in clear, as it is. */
  readonly action: "seal" | "drop" | "mask" | "hash" | "keep"
  /** The rule's own pointer; undefined for what no rule names. */
  readonly rule: string | undefined
}

/** A data-protection policy. Made by {@link createPolicy}. */
export interface Policy {
  /**
   * Applies the policy to a document on its way out: drops, masks and hashes, then seals, as `sealFields` does. The envelope
   * is there also when nothing is sealed: it binds the rest.
   *
   * @throws `RangeError` when the document has another shape than a rule wants, so that nothing is missed; otherwise as
   *   `sealFields`.
   */
  protect(document: string | object, options: SealOptions): Promise<JsonObject>
  /**
   * Opens a document on its way in, as `openFields` does, and holds it to the policy: what is to be sealed was, and nothing
   * else; what is to be masked or hashed has that form; what is to be dropped is not there.
   *
   * @throws `SealwireError` as `openFields`; `ERR_FIELDS` where the policy was not applied.
   */
  open(document: string | object, options: OpenOptions): Promise<OpenedFields>
  /**
   * Lists what the policy does to a document, and what it leaves in clear, in the order of their pointers. Shows no value.
   *
   * @throws As {@link Policy.protect}.
   */
  explain(document: string | object): FieldEffect[]
  /**
   * A copy of a value for a log: `"[sealed]"` for what is to be sealed, the other rules applied, `"[redacted]"` for what has
   * another shape than a rule wants, and for all that is no object. `"[hashed]"` instead of a hash where the backend computes it
   * later, as WebCrypto does: a logger cannot wait. Never throws.
   */
  redact(document: unknown): JsonValue
}

const OPTIONS = ["rules", "schema", "sensitivity", "annotation", "include", "hashKey", "backend"]

/** The rules of a policy, for those that include it. */
const rulesOf = new WeakMap<Policy, readonly Rule[]>()

function readHashing({ hashKey, backend = platform }: PolicyOptions): Hashing | undefined {
  if (hashKey === undefined) return undefined
  const key = copyBytes(hashKey, "options.hashKey")
  if (typeof hashKey === "string" || key.length !== KEY_BYTES) {
    throw new RangeError(`options.hashKey must be ${KEY_BYTES} bytes`)
  }
  return { backend, key }
}

function includedRules(include: readonly Policy[]): Rule[] {
  return include.flatMap((policy) => {
    const rules = rulesOf.get(policy)
    if (!rules) throw new TypeError("options.include must be policies, made by createPolicy")
    return rules
  })
}

async function protect(
  rules: readonly Rule[],
  document: string | object,
  { context = "", ...options }: SealOptions,
): Promise<JsonObject> {
  const copy = readDocument(document, "document")
  const outer = copyBytes(context, "options.context")
  await applyRules(rules, copy)
  const sealed = await sealPlaces(copy, wantedSealed(rules), { ...options, context: outer })
  return sealed.document
}

async function openBy(
  rules: readonly Rule[],
  document: string | object,
  options: OpenOptions,
): Promise<OpenedFields> {
  const { received, ...fields } = await receiveFields(document, options, expectedBy(rules))
  assertApplied(rules, fields.document)
  return new OpenedFields(await received.admit(), fields)
}

/** Places of values that hold no others, save inside those that a rule names. */
function leavesOf(value: JsonValue, place: Segments, named: ReadonlyMap<string, unknown>): Segments[] {
  if (named.has(formatPointer(place))) return []
  const members = typeof value === "object" && value !== null ? Object.entries(value) : []
  if (members.length === 0) return [place]
  return members.flatMap(([name, member]) => leavesOf(member, [...place, name], named))
}

function explain(rules: readonly Rule[], document: string | object): FieldEffect[] {
  const copy = readDocument(document, "document")
  const effects = new Map<string, FieldEffect>()
  for (const rule of rules) {
    const { action } = rule.treatment
    for (const pointer of choosePlaces(copy, [wantedBy(rule)]).keys()) {
      effects.set(pointer, { pointer, action, rule: formatPointer(rule.pattern) })
    }
  }
  for (const [name, value] of Object.entries(copy)) {
    for (const leaf of leavesOf(value, [name], effects)) {
      const pointer = formatPointer(leaf)
      effects.set(pointer, { pointer, action: "keep", rule: undefined })
    }
  }
  return [...effects.values()].sort((a, b) => (a.pointer < b.pointer ? -1 : 1))
}

/**
 * Creates a data-protection policy. The order of rules does not matter: two that could meet in one place are refused.
 *
 * > [!WARNING]
 * > A hash hides only what cannot be guessed by whoever has the key, and equal values show as equal. A mask that keeps
 * > characters shows them.
 *
 * @throws `TypeError` or `RangeError` for rules that are not understood, contradict each other, or protect nothing.
 * @example
 * ```ts
 * import { generateKeyPair } from "sealwire"
 * import { createPolicy } from "sealwire/fields"
 *
 * const policy = createPolicy({
 *   rules: { "/card/number": "seal", "/card/cvc": "drop", "/phone": { action: "mask", keepLast: 2 } },
 * })
 * const order = { phone: "+49 30 123456", card: { number: "4111111111111111", cvc: "123" } }
 * policy.redact(order) // {"phone":"***56","card":{"number":"[sealed]"}}
 *
 * const { publicKey } = await generateKeyPair()
 * const sealed = await policy.protect(order, { to: publicKey, context: "orders v1" })
 * sealed.phone // "***56"
 * ```
 */
export function createPolicy(options: PolicyOptions): Policy {
  assertOptions(options, "options", OPTIONS)
  const rules = joinRules([
    ...includedRules(options.include ?? []),
    ...readRules(options, readHashing(options)),
  ])
  if (rules.length === 0) throw new RangeError("options has no rule: such a policy protects nothing")
  const policy: Policy = {
    protect: (document, sealOptions) => protect(rules, document, sealOptions),
    open: (document, openOptions) => openBy(rules, document, openOptions),
    explain: (document) => explain(rules, document),
    redact: (document) => redactBy(rules, document),
  }
  rulesOf.set(policy, rules)
  offerCodec(policy, policyCodec(rules))
  return policy
}
