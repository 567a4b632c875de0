/**
 * Canaries: secrets that tests use, in every spelling in which they could end up in a log, and a search for them.
 *
 * @module
 */

import { inspect } from "node:util"

/** Something that showed a secret. */
export interface Finding {
  /** Which secret. */
  readonly canary: string
  /** Where it showed. */
  readonly place: string
  /** In which words. */
  readonly text: string
}

/** Holds canaries, and finds them. */
export interface Canaries {
  /** Random bytes, such as a key: any part of them that is long enough is found. */
  plantSecret(name: string, secret: string | Uint8Array): void
  /** A text or message: found where it stands as a whole. */
  plantText(name: string, text: string | Uint8Array): void
  /** Searches a text; notes what it finds. */
  search(place: string, text: string): void
  /** Searches all that a logger can get out of a value, stacks of errors excepted. */
  searchValue(place: string, value: unknown): void
  /** The same for a value that may still change, once the findings are asked for. */
  searchLater(place: string, value: unknown): void
  /** What was found since the last time. */
  takeFindings(): readonly Finding[]
  /** How many spellings are held, and how many texts were searched. */
  readonly counts: { readonly spellings: number; readonly searches: number }
}

/** So much of a random secret is one canary. */
const CHUNK_BYTES = 16
/** So much of a long message is. */
const MOST_TEXT_BYTES = 96
const LEAST_TEXT_BYTES = 16
/** All spellings are at least as long, and are looked up by so much of them. */
const INDEXED = 12
const MOST_SPELLINGS = 400_000
const MOST_CHARACTERS = 200_000
const MOST_WAITING = 1000
const SHOWN_CHARACTERS = 160

/** Base64 of bytes that stand somewhere in others, at each of the three alignments; without what depends on the neighbours. */
function base64Within(bytes: Buffer, encoding: "base64" | "base64url"): string[] {
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString(encoding)
      .replaceAll("=", "")
    const from = Math.ceil((offset * 8) / 6)
    const whole = Math.floor(((offset + bytes.length) * 8) / 6)
    return text.slice(from, whole)
  })
}

/** The ways in which bytes end up in a log; without spaces, since numbers are shown in columns. */
function spellingsOf(bytes: Buffer): string[] {
  const hex = bytes.toString("hex")
  const spellings = [
    bytes.toString("latin1"),
    bytes.toString("utf8"),
    hex,
    hex.toUpperCase(),
    ...base64Within(bytes, "base64"),
    ...base64Within(bytes, "base64url"),
    [...bytes].join(","),
  ]
  return spellings.map(withoutSpaces).filter((spelling) => spelling.length >= INDEXED)
}

const withoutSpaces = (text: string): string => text.replaceAll(/\s/g, "")

const show = (value: unknown): string =>
  inspect(value, { showHidden: true, depth: 6, maxArrayLength: 300, maxStringLength: 20_000 })

/** An error's words and members, and those of its causes. */
function errorText(error: Error, depth = 0): string {
  const members = Object.getOwnPropertyNames(error).filter((name) => name !== "stack")
  const texts = members.map((name) => {
    const value = (error as unknown as Readonly<Record<string, unknown>>)[name]
    return value instanceof Error && depth < 5 ? errorText(value, depth + 1) : show(value)
  })
  return [error.name, ...texts].join("\n")
}

/** Holds no canary yet. */
function createCanaries(): Canaries {
  const spellings = new Map<string, { readonly text: string; readonly name: string }[]>()
  let findings: Finding[] = []
  let later: { readonly place: string; readonly value: unknown }[] = []
  const counts = { spellings: 0, searches: 0 }

  function plant(name: string, bytes: Buffer): void {
    for (const text of new Set(spellingsOf(bytes))) {
      const start = text.slice(0, INDEXED)
      const same = spellings.get(start) ?? []
      if (counts.spellings >= MOST_SPELLINGS || same.some((held) => held.text === text)) continue
      counts.spellings++
      spellings.set(start, [...same, { text, name }])
    }
  }

  function search(place: string, text: string): void {
    counts.searches++
    const bare = withoutSpaces(text.slice(0, MOST_CHARACTERS))
    for (let at = 0; at + INDEXED <= bare.length; at++) {
      const here = spellings.get(bare.slice(at, at + INDEXED))
      const found = here?.find((spelling) => bare.startsWith(spelling.text, at))
      if (!found) continue
      findings.push({ canary: found.name, place, text: text.slice(0, SHOWN_CHARACTERS) })
      return
    }
  }

  function searchValue(place: string, value: unknown): void {
    if (value instanceof Error) search(place, errorText(value))
    else search(place, typeof value === "string" ? value : show(value))
  }

  function searchWaiting(): void {
    const values = later
    later = []
    for (const { place, value } of values) searchValue(place, value)
  }

  return {
    counts,
    plantSecret(name, secret) {
      const bytes = Buffer.from(secret as string)
      const last = Math.max(0, bytes.length - CHUNK_BYTES)
      for (const at of new Set([0, last >> 1, last])) plant(name, bytes.subarray(at, at + CHUNK_BYTES))
    },
    plantText(name, text) {
      const bytes = Buffer.from(text as string).subarray(0, MOST_TEXT_BYTES)
      // what says nothing, such as zeros, stands in many places
      if (bytes.length >= LEAST_TEXT_BYTES && new Set(bytes).size > 8) plant(name, bytes)
    },
    search,
    searchValue,
    searchLater(place, value) {
      if (later.length >= MOST_WAITING) searchWaiting()
      later.push({ place, value })
    },
    takeFindings() {
      searchWaiting()
      const taken = findings
      findings = []
      return taken
    },
  }
}

/** Those of this process. */
export const canaries: Canaries = createCanaries()
