/**
 * The terms of a ring: how often keys change, and how long each step must wait. They are stored with the keys, so that every
 * server and every command goes by the same ones. docs/protocol.md §7, last paragraph.
 *
 * @module
 */

import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { ModulusBits } from "../crypto/backend.ts"

/** The terms of a ring. */
export interface KeyRingTerms {
  /** How long a key is the one to seal to, in seconds: 0 (until `rotate` is called) or 1 to 315,360,000. Default: 7,776,000, 90 days. */
  readonly rotateEverySeconds: number
  /** Every server has read the ring again after so long, in seconds: 1 to 3,600. Default: 60. */
  readonly refreshSeconds: number
  /**
   * How long a new key is stored before it is published, in seconds: at least `refreshSeconds + 2 · clockErrorSeconds`, at most
   * 31,536,000. A server that cannot read the ring for longer refuses messages to the new key. Default: ten refreshes and a minute.
   */
  readonly pendingSeconds: number
  /** The longest life of a directory that any server signs, in seconds: 60 to 86,400. Default: 86,400, the longest there is. */
  readonly directoryLifetimeSeconds: number
  /** As the guard's, in seconds: 1 to 31,536,000. Default: 120. */
  readonly maxAgeSeconds: number
  /** As the guard's, in seconds: 0 to 3,600. Default: 30. */
  readonly maxSkewSeconds: number
  /** As the guard's, in seconds: 0 to 3,600. Default: 5. */
  readonly clockErrorSeconds: number
  /** Size of new keys in bits: 2048, 3072 or 4096. Default: 3072. */
  readonly modulusBits: ModulusBits
  /** Whether retired keys are destroyed by themselves, once no fresh message can be sealed to them. Default: true. */
  readonly destroyRetired: boolean
}

/** Names and ranges of the terms that are seconds. */
const SECONDS = {
  rotateEverySeconds: [0, 315_360_000, 7_776_000],
  refreshSeconds: [1, 3600, 60],
  pendingSeconds: [1, 31_536_000, undefined],
  directoryLifetimeSeconds: [60, 86_400, 86_400],
  maxAgeSeconds: [1, 31_536_000, 120],
  maxSkewSeconds: [0, 3600, 30],
  clockErrorSeconds: [0, 3600, 5],
} as const

const NAMES: readonly string[] = [...Object.keys(SECONDS), "modulusBits", "destroyRetired"]

function readSeconds(terms: Partial<KeyRingTerms>, name: string, term: keyof typeof SECONDS): number {
  const [lowest, highest, fallback] = SECONDS[term]
  const value = terms[term] ?? fallback ?? 0
  assertInteger(value, `${name}.${term}`, lowest, highest)
  return value
}

/**
 * Reads terms, and fills in the defaults.
 *
 * @throws `TypeError` or `RangeError` naming the term.
 */
export function readTerms(terms: Partial<KeyRingTerms>, name = "options.terms"): KeyRingTerms {
  assertOptions(terms, name, NAMES)
  const refreshSeconds = readSeconds(terms, name, "refreshSeconds")
  const clockErrorSeconds = readSeconds(terms, name, "clockErrorSeconds")
  const leadSeconds = refreshSeconds + 2 * clockErrorSeconds
  const pendingDefault = Math.max(leadSeconds, 10 * refreshSeconds + 60)
  const pendingSeconds = readSeconds({ pendingSeconds: pendingDefault, ...terms }, name, "pendingSeconds")
  if (pendingSeconds < leadSeconds) {
    throw new RangeError(
      `${name}.pendingSeconds must be at least refreshSeconds + 2 · clockErrorSeconds, ${leadSeconds}, not ${pendingSeconds}`,
    )
  }
  const { modulusBits = 3072, destroyRetired = true } = terms
  if (![2048, 3072, 4096].includes(modulusBits)) {
    throw new RangeError(`${name}.modulusBits must be 2048, 3072 or 4096, not ${String(modulusBits)}`)
  }
  if (typeof destroyRetired !== "boolean") {
    throw new TypeError(`${name}.destroyRetired must be a boolean, not ${describe(destroyRetired)}`)
  }
  return {
    rotateEverySeconds: readSeconds(terms, name, "rotateEverySeconds"),
    refreshSeconds,
    pendingSeconds,
    directoryLifetimeSeconds: readSeconds(terms, name, "directoryLifetimeSeconds"),
    maxAgeSeconds: readSeconds(terms, name, "maxAgeSeconds"),
    maxSkewSeconds: readSeconds(terms, name, "maxSkewSeconds"),
    clockErrorSeconds,
    modulusBits,
    destroyRetired,
  }
}

/** How long until every server knows what was saved now, in milliseconds. */
export function leadMs({ refreshSeconds, clockErrorSeconds }: KeyRingTerms): number {
  return (refreshSeconds + 2 * clockErrorSeconds) * 1000
}

/** How long a retired key may still be needed, in milliseconds: the last directory that names it, then the last message by that. */
export function keepMs(terms: KeyRingTerms): number {
  const { directoryLifetimeSeconds, maxAgeSeconds, maxSkewSeconds } = terms
  return (directoryLifetimeSeconds + maxAgeSeconds + maxSkewSeconds) * 1000 + leadMs(terms)
}
