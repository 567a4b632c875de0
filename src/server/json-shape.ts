/**
 * How large JSON text is, before it is parsed: in one pass, with no recursion and nothing built.
 *
 * @module
 */

/** What {@link measureJson} finds. For text that is no JSON the numbers mean nothing, and parsing says so. */
export interface JsonShape {
  /** Arrays and objects inside each other. */
  readonly depth: number
  /** Members and items, of all objects and arrays. */
  readonly entries: number
  /** Whether two members of one object have the same name: a parser keeps one, and another the other. */
  hasTwins(value: unknown): boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPENING: readonly number[] = [0x5b, 0x7b]
const CLOSING: readonly number[] = [0x5d, 0x7d]

/** The index behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at + 1
}

/** Members of all objects in a parsed value, whose depth is known to be bounded. */
function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0
  const inside = Object.values(value) as unknown[]
  const own = Array.isArray(value) ? 0 : inside.length
  return inside.reduce((sum: number, each) => sum + countMembers(each), own)
}

/** Measures JSON text. */
export function measureJson(text: string): JsonShape {
  let depth = 0
  let deepest = 0
  let containers = 0
  let commas = 0
  let members = 0
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (code === COMMA) commas++
    else if (code === COLON) members++
    else if (CLOSING.includes(code)) depth--
    else if (OPENING.includes(code)) {
      containers++
      deepest = Math.max(deepest, ++depth)
    }
    at++
  }
  return {
    depth: deepest,
    // each container has one entry more than commas, unless it is empty: that one is counted all the same
    entries: commas + containers,
    hasTwins: (value) => countMembers(value) !== members,
  }
}
