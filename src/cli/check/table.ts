/**
 * What a check shows: the list of what it will send, and the table of what came of it. What came from outside is shown escaped and cut.
 *
 * @module
 */

import { escapeControls } from "../terminal.ts"
import { grouped, type Plan, type Row, sendsOf } from "./plan.ts"

const LONGEST = 240

function shown(text: string): string {
  const escaped = escapeControls(text)
  return escaped.length > LONGEST ? `${escaped.slice(0, LONGEST)}…` : escaped
}

/** The list of all requests, numbered. */
export function listOf({ target, probes, requests }: Plan): string {
  let number = 0
  const lines = probes.flatMap((probe) =>
    grouped(sendsOf(probe)).map(({ text, times }) => {
      const first = ++number
      number += times - 1
      const numbers = times === 1 ? String(first) : `${first}–${number}`
      return `${numbers.padStart(7)}  ${probe.name.padEnd(18)}${text}\n`
    }),
  )
  return `To ${target.url.origin}, at most ${requests} requests and handshakes:\n${lines.join("")}\n`
}

const WORDS: Readonly<Record<Row["verdict"], string>> = {
  pass: "pass",
  fail: "FAIL",
  "not tested": "not tested",
}

/** How many rows ended in which way. */
export function countRows(rows: readonly Row[]): Readonly<Record<"passed" | "failed" | "notTested", number>> {
  const count = (verdict: Row["verdict"]): number => rows.filter((row) => row.verdict === verdict).length
  return { passed: count("pass"), failed: count("fail"), notTested: count("not tested") }
}

/** The table: a line each for verdict and what was sent, what came back, and what to do. */
export function tableOf(rows: readonly Row[]): string {
  const indent = " ".repeat(30)
  const lines = rows.map(({ name, verdict, sent, received, advice }) => {
    const first = `${WORDS[verdict].padEnd(12)}${name.padEnd(18)}${sent}\n`
    if (sent === "nothing") return `${WORDS[verdict].padEnd(12)}${name.padEnd(18)}${advice ?? ""}\n`
    const todo = advice === undefined ? "" : `${indent}do: ${advice}\n`
    return `${first}${indent}→ ${shown(received)}\n${todo}`
  })
  const { passed, failed, notTested } = countRows(rows)
  return `${"verdict".padEnd(12)}${"check".padEnd(18)}sent → what came back\n${lines.join("")}
${passed} passed, ${failed} failed, ${notTested} not tested\n`
}
