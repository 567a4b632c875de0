/**
 * What a data-protection policy does to a value, besides sealing it: masking, keyed hashing, dropping. How it can be told that
 * it was done, and what a log shows instead.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { canonicalJson } from "../base/canonical-json.ts"
import type { JsonValue } from "../base/json-value.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { copyBytes, describe } from "../base/text.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"

/** Replaces a value by `***`, beside some of its first and last characters. */
export interface MaskAction {
  readonly action: "mask"
  /** First characters of a text that stay: 0 to 16. Default: 0. */
  readonly keepFirst?: number
  /** Last characters of a text that stay: 0 to 16. Default: 0. */
  readonly keepLast?: number
}

/** Replaces a value by its HMAC-SHA-256 under the policy's `hashKey`, as 43 characters of base64url. */
export interface HashAction {
  readonly action: "hash"
  /** Equal values have equal hashes within one domain, and unrelated ones in two. Default: the rule's own pointer. */
  readonly domain?: string
}

/** Seals a value. */
export interface SealAction {
  readonly action: "seal"
  /** Whether it must be there, so that a document without it is neither sent nor accepted. Default: `false`. */
  readonly required?: boolean
}

/**
 * What happens to a field:
 *
 * - `"seal"`, or a {@link SealAction}: only the recipient reads it.
 * - `"drop"`: it does not leave; an array element becomes `null`.
 * - `"mask"`, or a {@link MaskAction}: `***`.
 * - `"hash"`, or a {@link HashAction}: a pseudonym, the same for equal values.
 */
export type FieldAction = "seal" | "drop" | "mask" | "hash" | SealAction | MaskAction | HashAction

/** An action, checked and ready. */
export interface Treatment {
  readonly action: "seal" | "drop" | "mask" | "hash"
  /** Whether a document must have such a place. */
  readonly isRequired: boolean
  /** Two rules with one description, and one key, do the same. */
  readonly description: string
  /** What it hashes with. */
  readonly key: Bytes | undefined
  /** The value that leaves in place of this one; undefined for none. */
  apply(value: JsonValue): MaybePromise<JsonValue | undefined>
  /** Whether a value that arrived can be what `apply` gave. */
  isApplied(value: JsonValue): boolean
  /** What a log shows. */
  redact(value: JsonValue): JsonValue | undefined
}

const MASK = "***"
/** Base64url of 32 bytes, in its one canonical form. */
const PSEUDONYM = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** A constant in place of what is kept: it shows neither the length nor the kind of the value. */
function maskOf(value: JsonValue, keepFirst: number, keepLast: number): string {
  if (typeof value !== "string") return MASK
  const characters = Array.from(value)
  // never more than half, so that a short value is not shown whole
  if (characters.length < 2 * (keepFirst + keepLast)) return MASK
  const first = characters.slice(0, keepFirst)
  const last = characters.slice(characters.length - keepLast)
  return [...first, MASK, ...last].join("")
}

function isMask(value: JsonValue, keepFirst: number, keepLast: number): boolean {
  if (value === MASK) return true
  if (typeof value !== "string") return false
  const characters = Array.from(value)
  const middle = characters.slice(keepFirst, keepFirst + MASK.length).join("")
  return middle === MASK && characters.length === keepFirst + MASK.length + keepLast
}

function masking({ keepFirst = 0, keepLast = 0 }: MaskAction): Treatment {
  assertInteger(keepFirst, "keepFirst", 0, 16)
  assertInteger(keepLast, "keepLast", 0, 16)
  const mask = (value: JsonValue): string => maskOf(value, keepFirst, keepLast)
  return {
    action: "mask",
    isRequired: false,
    description: canonicalJson({ action: "mask", keepFirst, keepLast }),
    key: undefined,
    apply: mask,
    isApplied: (value) => isMask(value, keepFirst, keepLast),
    redact: mask,
  }
}

/** The key of a policy's hashes, and who computes with it. */
export interface Hashing {
  readonly backend: Backend
  readonly key: Bytes
}

async function encodeLater(mac: Promise<Bytes>): Promise<string> {
  return encodeBase64url(await mac)
}

function hashing({ domain }: HashAction, pointer: string, given: Hashing | undefined): Treatment {
  if (!given) throw new TypeError('options.hashKey must be given where a rule is "hash"')
  const { backend, key } = given
  const domainBytes = copyBytes(domain ?? pointer, "domain")
  /** `HMAC-SHA-256(key, label("pseudonym") ‖ lp(domain) ‖ lp(RFC 8785 of the value) ‖ 0x01)` */
  const hash = (value: JsonValue): MaybePromise<string> => {
    const data = concatPrefixed(NOTHING, [domainBytes, copyBytes(canonicalJson(value), "value")])
    const mac = expand(backend, key, "pseudonym", data)
    return mac instanceof Promise ? encodeLater(mac) : encodeBase64url(mac)
  }
  return {
    action: "hash",
    isRequired: false,
    description: canonicalJson({ action: "hash", domain: domain ?? pointer }),
    key,
    apply: hash,
    isApplied: (value) => typeof value === "string" && PSEUDONYM.test(value),
    redact: (value) => {
      const pseudonym = hash(value)
      // a logger cannot wait for a backend that answers later
      return typeof pseudonym === "string" ? pseudonym : "[hashed]"
    },
  }
}

function sealing({ required = false }: SealAction, rule: string): Treatment {
  if (typeof required !== "boolean") {
    throw new TypeError(`${rule}: required must be true or false, not ${describe(required)}`)
  }
  return {
    action: "seal",
    isRequired: required,
    description: canonicalJson({ action: "seal", required }),
    key: undefined,
    apply: (value) => value,
    isApplied: () => true,
    redact: () => "[sealed]",
  }
}

const DROP: Treatment = {
  action: "drop",
  isRequired: false,
  description: '{"action":"drop"}',
  key: undefined,
  apply: () => undefined,
  // what is left of an array element
  isApplied: (value) => value === null,
  redact: () => undefined,
}

/**
 * Reads an action.
 *
 * @param pointer - The rule's, for messages and as the domain of hashes.
 * @throws `TypeError` or `RangeError` naming the rule.
 */
export function readAction(action: FieldAction, pointer: string, hashKey: Hashing | undefined): Treatment {
  const rule = `the rule for ${pointer}`
  const full: { readonly action: string } = typeof action === "string" ? { action } : action
  if (typeof full !== "object" || (full as unknown) === null) {
    throw new TypeError(`${rule} must be an action, not ${describe(action)}`)
  }
  switch (full.action) {
    case "seal":
      assertOptions(full, rule, ["action", "required"])
      return sealing(full as SealAction, rule)
    case "drop":
      assertOptions(full, rule, ["action"])
      return DROP
    case "mask":
      assertOptions(full, rule, ["action", "keepFirst", "keepLast"])
      return masking(full as MaskAction)
    case "hash":
      assertOptions(full, rule, ["action", "domain"])
      return hashing(full as HashAction, pointer, hashKey)
    default:
      throw new RangeError(`${rule} must be "seal", "drop", "mask" or "hash"`)
  }
}
