/**
 * docs/guides/store-faults.md: what each store does in each fault, as the tests saw it.
 * Written with `SEALWIRE_WRITE_DOCS=1`; otherwise a row that says something else than the tests saw fails.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs"

const GUIDE = new URL("../../docs/guides/store-faults.md", import.meta.url)
const BEGIN = "<!-- made by the tests -->"
const HEADING =
  "| fault | store | while it lasts | a copy of a message accepted before | a new message |\n|---|---|---|---|---|"

/** What was seen: `"accepted"` or error codes. */
export interface Outcome {
  /** What a message was answered while the fault lasted; empty where it is over at once. */
  readonly during: string
  /** What a copy of a message that had been accepted before was answered, when the server was back. */
  readonly copy: string
  /** What a new message was answered then, and in the end. */
  readonly fresh: string
}

/** Notes what was seen for one fault and one store. Throws when the guide says otherwise. */
export function recordFault(fault: string, store: string, { during, copy, fresh }: Outcome): void {
  const start = `| ${fault} | ${store} |`
  const row = `${start} ${during} | ${copy} | ${fresh} |`
  const guide = readFileSync(GUIDE, "utf8")
  if (guide.split("\n").includes(row)) return
  if (process.env["SEALWIRE_WRITE_DOCS"] !== "1") {
    throw new Error(`store-faults.md does not have this row, run the test with SEALWIRE_WRITE_DOCS=1: ${row}`)
  }
  const [head = "", table = ""] = guide.split(BEGIN)
  const rows = table.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| fault "))
  const others = rows.filter((line) => !line.startsWith(start))
  writeFileSync(GUIDE, `${head}${BEGIN}\n\n${[HEADING, ...[...others, row].sort()].join("\n")}\n`)
}
