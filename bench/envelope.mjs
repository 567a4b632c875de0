/**
 * Measures this library beside its peers and prints tables: `npm run bench`, after `npm ci --prefix bench`.
 *
 *     node bench/envelope.mjs [--dist] [--json] [--rounds 9] [--turn-ms 60] [--only "words of a title"]
 */

import { parseArgs } from "node:util"

import { measure } from "./envelope/measure.mjs"
import { judge, renderMachine, renderTable } from "./envelope/report.mjs"
import { loadSubject } from "./envelope/subject.mjs"

const { values: options } = parseArgs({
  options: {
    dist: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "9" },
    "turn-ms": { type: "string", default: "60" },
    only: { type: "string", default: "" },
  },
})

/** Apart from the other imports, because the peers may not be there. */
async function importTables() {
  try {
    return await import("./envelope/tables.mjs")
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error
    throw new Error("the peers are not installed: npm ci --prefix bench", { cause: error })
  }
}

const print = options.json ? () => {} : console.log
const { makeTables } = await importTables()
const tables = await makeTables(await loadSubject(options.dist))
const results = []
print(renderMachine())
for (const table of tables.filter(({ title }) => title.includes(options.only))) {
  const measured = await measure(table.contenders, {
    rounds: Number(options.rounds),
    turnMs: Number(options["turn-ms"]),
  })
  const judged = await judge(table, measured)
  print(renderTable(table, measured, judged))
  results.push({ title: table.title, measured, judged })
}
const judged = results.flatMap((result) => result.judged)
print(`${judged.filter(({ holds }) => holds).length} of ${judged.length} bars hold.`)
if (options.json) console.log(JSON.stringify({ node: process.version, results }, undefined, 2))
