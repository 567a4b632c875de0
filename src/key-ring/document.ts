/**
 * A ring as text: JSON, read as strictly as it is written. Whoever can write a store can make rotation stop, or have retired keys
 * used longer, but cannot read private keys, nor have keys of their own taken for the ring's.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { parseJson } from "../base/json.ts"
import type { Kept, KeyRecord, RingState } from "./state.ts"
import { readTerms } from "./terms.ts"

/** Of this form of the text; private keys under a wrapping key are bound to it. */
export const DOCUMENT_VERSION = "1"

type Members = Readonly<Record<string, unknown>>

const KID = /^[\w-]{43}$/
const TIMES = ["activeFromMs", "retiredFromMs", "destroyFromMs"] as const

/** Writes a ring. */
export function serializeRing(state: RingState): string {
  return JSON.stringify({ v: DOCUMENT_VERSION, ...state })
}

function damaged(what: string): never {
  throw new SealwireError("ERR_KEY", `the stored key ring is damaged, or of another version: ${what}`)
}

function membersOf(value: unknown, what: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) damaged(what)
  return value as Members
}

function timeOf(members: Members, name: string): number {
  const value = members[name]
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : damaged(name)
}

function keptOf(value: unknown): Kept {
  const { by, text } = membersOf(value, "kept")
  return typeof by === "string" && typeof text === "string" ? { by, text } : damaged("kept")
}

function recordOf(value: unknown): KeyRecord {
  const members = membersOf(value, "keys")
  const { kid, heldFor, kept } = members
  if (typeof kid !== "string" || !KID.test(kid)) damaged("kid")
  if (heldFor !== undefined && typeof heldFor !== "string") damaged("heldFor")
  const [activeFromMs, retiredFromMs, destroyFromMs] = TIMES.map((name) =>
    members[name] === undefined ? undefined : timeOf(members, name),
  )
  const createdAtMs = timeOf(members, "createdAtMs")
  return { kid, createdAtMs, activeFromMs, retiredFromMs, destroyFromMs, heldFor, kept: keptOf(kept) }
}

/**
 * Reads a ring.
 *
 * @throws `SealwireError` `ERR_KEY` for anything else.
 */
export function parseRing(text: string): RingState {
  let value: unknown
  try {
    value = parseJson(text)
  } catch {
    damaged("no JSON")
  }
  const members = membersOf(value, "no object")
  const { v, terms, keys } = members
  if (v !== DOCUMENT_VERSION || !Array.isArray(keys)) damaged("v")
  const records = keys.map(recordOf)
  if (new Set(records.map(({ kid }) => kid)).size !== records.length) damaged("a key twice")
  try {
    return {
      terms: readTerms(membersOf(terms, "terms"), "terms"),
      savedAtMs: timeOf(members, "savedAtMs"),
      changedAtMs: timeOf(members, "changedAtMs"),
      keys: records,
    }
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    return damaged((cause as Error).message)
  }
}
