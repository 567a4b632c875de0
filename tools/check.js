/**
 * `npm run check [-- name …]`: everything about the package that neither a test nor the linter sees. Wants a build.
 *
 * Each check is a file beside this one; it gives a line of what it found, or throws what is wrong.
 */

import { check as api } from "./check-api.js"
import { check as doors } from "./check-doors.js"
import { check as examples } from "./check-examples.js"
import { check as model } from "./check-model.js"
import { check as published } from "./check-published.js"
import { check as ranks } from "./check-ranks.js"
import { check as sizes } from "./check-sizes.js"
import { check as types } from "./check-types.js"
import { check as unused } from "./check-unused.js"
import { withPacked } from "./packed.js"

/** @typedef {import("./packed.js").Packed} Packed */

/** @type {Record<string, () => Promise<string>>} */
const treeChecks = { doors, ranks, unused, api, model }

/** @type {Record<string, (packed: Packed) => Promise<string>>} */
const packageChecks = { published, types, sizes, examples }

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const unknown = names.filter((name) => !(name in treeChecks) && !(name in packageChecks))
if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(", ")}`)

/** @param {string} name */
const isWanted = (name) => names.length === 0 || names.includes(name)

let failures = 0

/**
 * @param {string} name
 * @param {() => Promise<string>} check
 */
async function report(name, check) {
  const start = performance.now()
  /** @type {[string, string]} */
  const [mark, text] = await check().then(
    (found) => ["ok  ", found],
    (/** @type {unknown} */ error) => ["FAIL", error instanceof Error ? error.message : String(error)],
  )
  if (mark === "FAIL") failures++
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${mark} ${name.padEnd(9)} ${seconds.padStart(5)} s  ${text}`)
}

for (const [name, check] of Object.entries(treeChecks)) if (isWanted(name)) await report(name, check)

if (Object.keys(packageChecks).some(isWanted)) {
  await withPacked(async (packed) => {
    for (const [name, check] of Object.entries(packageChecks)) {
      if (isWanted(name)) await report(name, () => check(packed))
    }
  })
}

process.exitCode = failures === 0 ? 0 : 1
