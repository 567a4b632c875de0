/** What the demo looks like: numbered steps and labelled lines; colours where the terminal has them and NO_COLOR allows. */

import { styleText } from "node:util"

const INDENT = 6
const LABEL_COLUMNS = 10
const HANGING = " ".repeat(INDENT + LABEL_COLUMNS)

// hasColors reads NO_COLOR, FORCE_COLOR and TERM
const hasColours = process.stdout.isTTY && process.stdout.hasColors()
const columns = Math.max(40, Math.min(process.stdout.columns || 80, 96))

/** @type {(style: "bold" | "dim" | "green" | "red", text: string) => string} */
const paint = (style, text) => (hasColours ? styleText(style, text) : text)

/** @param {number} ms */
const duration = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`

/**
 * Breaks at spaces, and inside a word that is longer than a line.
 *
 * @param {string} text
 * @param {number} width
 */
function wrap(text, width) {
  /** @type {string[]} */
  const lines = []
  let line = ""
  for (const word of text.match(new RegExp(`\\S{1,${width}}\\s*`, "gu")) ?? []) {
    if ((line + word.trimEnd()).length > width) {
      lines.push(line)
      line = ""
    }
    line += word
  }
  return [...lines, line].map((each) => each.trimEnd())
}

/** @typedef {(label: string, value: string) => void} Say */
/** @typedef {<T>(title: string, run: (say: Say) => T | Promise<T>) => Promise<T>} Step */

/** @param {string} text */
export function printHeading(text) {
  console.log(`\n${paint("bold", wrap(text, columns).join("\n"))}\n`)
}

/**
 * @param {number} number
 * @param {string} title
 * @param {number} ms
 * @param {boolean} passed
 */
function printStep(number, title, ms, passed) {
  const mark = passed ? paint("green", "✓") : paint("red", "✗")
  const lines = wrap(title, columns - INDENT - 10)
  const time = duration(ms).padStart(columns - INDENT - (lines.at(-1) ?? "").length)
  console.log(
    `${String(number).padStart(3)} ${mark} ${paint("bold", lines.join(`\n${" ".repeat(INDENT)}`))}${paint("dim", time)}`,
  )
}

/** @param {[label: string, value: string][]} lines */
function printLines(lines) {
  for (const [label, value] of lines) {
    const text = wrap(value, columns - HANGING.length).join(`\n${HANGING}`)
    console.log(`${" ".repeat(INDENT)}${paint("dim", label.padEnd(LABEL_COLUMNS))}${text}`)
  }
  console.log()
}

/** @param {string} text */
export function printFailure(text) {
  console.error(paint("red", text))
}

/** Steps, numbered: each is printed with what it has to say, and passed on if it throws. */
export function createSteps() {
  let count = 0
  let failed = false
  /** @type {Step} */
  async function step(title, run) {
    const number = ++count
    /** @type {[label: string, value: string][]} */
    const lines = []
    const start = performance.now()
    try {
      const result = await run((label, value) => lines.push([label, value]))
      printStep(number, title, performance.now() - start, true)
      printLines(lines)
      return result
    } catch (error) {
      failed = true
      printStep(number, title, performance.now() - start, false)
      printLines([["failed", String(error)]])
      throw error
    }
  }
  return { step, ended: () => ({ count, failed }) }
}
