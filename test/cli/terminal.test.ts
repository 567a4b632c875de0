import { expect, test } from "vitest"

import { escapeControls, escapeLines } from "../../src/cli/terminal.ts"

const hostile = "a\u001b[31mb\u202ec\r\u0000\u0085\u2028d"
const shown = "a\\u{1b}[31mb\\u{202e}c\\u{d}\\u{0}\\u{85}\\u{2028}d"

test("shows control and formatting characters of one line by their numbers", () => {
  expect(escapeControls(`${hostile}\t\n`)).toBe(`${shown}\\u{9}\\u{a}`)
})

test("leaves tabs and line feeds of a text, and escapes the rest", () => {
  expect(escapeLines(`${hostile}\t\nZoë 🥊`)).toBe(`${shown}\t\nZoë 🥊`)
})
