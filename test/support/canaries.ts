/**
 * Canaries: secrets that tests use, and a search for them in every spelling in which they could end up in a log.
 *
 * @module
 */

import { inspect } from "node:util"

import { readingsOf } from "./readings.ts"

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
  /** Random bytes, such as a key, 16 or more: any 16 of them at the begin, in the middle and at the end are found. */
  plantSecret(name: string, secret: string | Uint8Array): void
  /** A text or message: found where it stands as a whole. */
  plantText(name: string, text: string | Uint8Array): void
  /** Searches a text for all but what is `meant` to show there; notes what it finds. */
  search(place: string, text: string, meant?: readonly string[]): void
  /** Searches all that a logger can get out of a value, stacks of errors excepted. */
  searchValue(place: string, value: unknown): void
  /** The same for a value that may still change, once the findings are asked for. */
  searchLater(place: string, value: unknown): void
  /** Has something searched whenever the findings are asked for. */
  beforeTaking(search: () => void): void
  /** What was found since the last time. */
  takeFindings(): readonly Finding[]
  /** How many canaries are held, and how many texts were searched. */
  readonly counts: { readonly canaries: number; readonly searches: number }
}

/** So much of a random secret is one canary; all canaries are at least as long, and are looked up by so much of them. */
const CHUNK_BYTES = 16
const LEAST_TEXT_BYTES = CHUNK_BYTES
/** So much of a long message is one. */
const MOST_TEXT_BYTES = 96
/** What says nothing, such as zeros, stands in many places. */
const LEAST_DIFFERENT_BYTES = 9
/** With more than these the older half is forgotten. */
const MOST_CANARIES = 200_000
const MOST_ALIKE = 50
const MOST_CHARACTERS = 2_000_000
const MOST_WAITING = 1000
const SHOWN_CHARACTERS = 160

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

const SLOT_BITS = 22
const slotOf = (fourBytes: number): number => Math.imul(fourBytes, 0x9e37_79b1) >>> (32 - SLOT_BITS)

interface Canary {
  readonly name: string
  readonly text: string
}

/** Canaries by their first 16 bytes, behind a filter by the first four: nearly all of what is searched ends there. */
class CanaryTable {
  readonly #filter = new Uint8Array(2 ** SLOT_BITS)
  // two halves: a map whose oldest entries are taken out one by one walks over all that were
  #older = new Map<string, Canary[]>()
  #newer = new Map<string, Canary[]>()

  get size(): number {
    return this.#older.size + this.#newer.size
  }

  add(name: string, bytes: Buffer): void {
    const text = bytes.toString("latin1")
    const start = text.slice(0, CHUNK_BYTES)
    const alike = this.#startingWith(start) ?? []
    if (alike.length >= MOST_ALIKE || alike.some((canary) => canary.text === text)) return
    alike.push({ name, text })
    this.#newer.set(start, alike)
    this.#filter[slotOf(bytes.readInt32BE())] = 1
    if (this.#newer.size <= MOST_CANARIES / 2) return
    this.#older = this.#newer
    this.#newer = new Map()
  }

  find(bytes: Buffer, meant: readonly string[]): Canary | undefined {
    let fourBytes = 0
    for (let end = 0; end < bytes.length; end++) {
      fourBytes = (fourBytes << 8) | (bytes[end] ?? 0)
      if (end < 3 || this.#filter[slotOf(fourBytes)] === 0) continue
      const found = this.#findAt(bytes, end - 3)
      if (found && !meant.includes(found.name)) return found
    }
    return undefined
  }

  #findAt(bytes: Buffer, at: number): Canary | undefined {
    const alike = this.#startingWith(bytes.toString("latin1", at, at + CHUNK_BYTES))
    return alike?.find(({ text }) => bytes.toString("latin1", at, at + text.length) === text)
  }

  #startingWith(start: string): Canary[] | undefined {
    return this.#newer.get(start) ?? this.#older.get(start)
  }
}

/** Bytes that were taken for UTF-8, where enough is left of them. */
function asLossyText(bytes: Buffer): Buffer | undefined {
  const text = bytes.toString()
  return text.replaceAll("\ufffd", "").length < LEAST_DIFFERENT_BYTES ? undefined : Buffer.from(text)
}

/** Holds no canary yet. */
function createCanaries(): Canaries {
  const table = new CanaryTable()
  let findings: Finding[] = []
  let later: { readonly place: string; readonly value: unknown }[] = []
  const before: (() => void)[] = []
  let searches = 0

  function search(place: string, text: string, meant: readonly string[] = []): void {
    searches++
    for (const reading of readingsOf(text.slice(0, MOST_CHARACTERS))) {
      const found = table.find(reading, meant)
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
    get counts() {
      return { canaries: table.size, searches }
    },
    plantSecret(name, secret) {
      const bytes = Buffer.from(secret as string)
      const start = bytes.subarray(0, 2 * CHUNK_BYTES)
      if (bytes.length < CHUNK_BYTES || new Set(start).size < LEAST_DIFFERENT_BYTES) return
      const last = bytes.length - CHUNK_BYTES
      for (const at of new Set([0, last >> 1, last])) table.add(name, bytes.subarray(at, at + CHUNK_BYTES))
      const lossy = asLossyText(start)
      if (lossy) table.add(name, lossy)
    },
    plantText(name, text) {
      const bytes = Buffer.from(text as string).subarray(0, MOST_TEXT_BYTES)
      const says = bytes.length >= LEAST_TEXT_BYTES && new Set(bytes).size >= LEAST_DIFFERENT_BYTES
      if (says) table.add(name, bytes)
    },
    search,
    searchValue,
    searchLater(place, value) {
      if (later.length >= MOST_WAITING) searchWaiting()
      later.push({ place, value })
    },
    beforeTaking(search) {
      before.push(search)
    },
    takeFindings() {
      for (const search of before) search()
      searchWaiting()
      const taken = findings
      findings = []
      return taken
    },
  }
}

/** Those of this process. */
export const canaries: Canaries = createCanaries()
