/**
 * A ring as text: JSON, read as strictly as it is written. Whether to believe it, scribe.ts finds out.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { parseJson } from "../base/json.ts"
import type { Kept, KeyRecord, RingState } from "./state.ts"
import { readTerms } from "./terms.ts"

/** The form without a MAC. */
const BARE_VERSION = "1"
/** The form with one. */
export const AUTHENTIC_VERSION = "2"

/** What makes a text authentic: base64url. The tag is over everything but itself. */
export interface DocumentMac {
  readonly salt: string
  readonly tag: string
}

type Members = Readonly<Record<string, unknown>>

const KID = /^[\w-]{43}$/
const TIMES = ["activeFromMs", "retiredFromMs", "destroyFromMs"] as const

/** Writes a ring; with as much of a MAC as there is. */
export function serializeRing(state: RingState, mac?: Partial<DocumentMac>): string {
  return JSON.stringify(mac ? { v: AUTHENTIC_VERSION, mac, ...state } : { v: BARE_VERSION, ...state })
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

function macOf(value: unknown): DocumentMac {
  const { salt, tag } = membersOf(value, "mac")
  return typeof salt === "string" && typeof tag === "string" ? { salt, tag } : damaged("mac")
}

/** A ring's text, read; nothing is proven. */
export type RingDocument = { readonly state: RingState; readonly members: Members } & (
  | { readonly v: typeof BARE_VERSION; readonly mac?: undefined }
  | { readonly v: typeof AUTHENTIC_VERSION; readonly mac: DocumentMac }
)

/**
 * Reads a ring's text.
 *
 * @throws `SealwireError` `ERR_KEY` for anything else.
 */
export function parseDocument(text: string): RingDocument {
  let value: unknown
  try {
    value = parseJson(text)
  } catch {
    damaged("no JSON")
  }
  const members = membersOf(value, "no object")
  const { v } = members
  if (v === BARE_VERSION) return { v, state: stateOf(members), members }
  if (v === AUTHENTIC_VERSION) return { v, mac: macOf(members["mac"]), state: stateOf(members), members }
  return damaged("v")
}

function stateOf(members: Members): RingState {
  const { terms, keys } = members
  if (!Array.isArray(keys)) damaged("keys")
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
