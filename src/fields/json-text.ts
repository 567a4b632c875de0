/**
 * Strict JSON text: what two parsers could read as two values is refused. `JSON.parse` decides what JSON is; here is what it lets
 * pass: members of one name, and numbers that a double changes. docs/protocol.md §11.
 *
 * @module
 */

import { type JsonValue, copyJson } from "../base/json-value.ts"

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The index after the string that begins at `start`. By hand: an expression with an alternation may exhaust its stack. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at + 1
}

const IN_NUMBER = /[\d.eE+-]/

function endOfNumber(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && IN_NUMBER.test(text.charAt(at))) at++
  return at
}

/** The value of a number's text, written in one way: digits that neither begin nor end with a zero, and an exponent. */
function decimalOf(number: string): string {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e")
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".")
  const digits = whole + fraction
  let start = 0
  while (digits[start] === "0") start++
  let end = digits.length
  while (end > start && digits[end - 1] === "0") end--
  if (start === end) return "0"
  return `${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`
}

function isExact(number: string): boolean {
  const shortest = String(Number(number))
  return number === shortest || decimalOf(number) === decimalOf(shortest)
}

/** The index after white space. */
function skipSpace(text: string, start: number): number {
  let at = start
  while (/\s/.test(text.charAt(at))) at++
  return at
}

/** Walks over text that is known to be JSON. */
function assertUnambiguous(text: string, name: string): void {
  /** The names seen in each object around this place, and nothing for each array. */
  const around: (Set<string> | undefined)[] = []
  let at = 0
  while (at < text.length) {
    const start = at++
    const character = text.charAt(start)
    if (character === "{") around.push(new Set())
    else if (character === "[") around.push(undefined)
    else if (character === "}" || character === "]") around.pop()
    else if (character === '"') {
      at = endOfString(text, start)
      const colon = skipSpace(text, at)
      if (text[colon] !== ":") continue
      const names = around.at(-1)
      const member = JSON.parse(text.slice(start, at)) as string
      if (names?.has(member)) throw new TypeError(`${name} has two members of one name`)
      names?.add(member)
    } else if (character === "-" || (character >= "0" && character <= "9")) {
      at = endOfNumber(text, start)
      if (!isExact(text.slice(start, at))) {
        throw new TypeError(`${name} has a number that a double does not carry: write it as a string`)
      }
    }
  }
}

/**
 * Parses JSON text into a value that only this text's meaning can have.
 *
 * @param name - What the text is called in an error.
 * @throws `TypeError` when it is not JSON, has two members of one name in an object, a number that does not round-trip as an
 *   IEEE double, or anything else that `copyJson` refuses. The text is never quoted.
 */
export function parseStrictJson(text: string, name: string): JsonValue {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new TypeError(`${name} is not JSON`)
  }
  const copy = copyJson(value, name)
  assertUnambiguous(text, name)
  return copy
}
