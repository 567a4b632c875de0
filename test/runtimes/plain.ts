/**
 * Runs the cases without a test runner, over the installed package.
 *
 * @module
 */

import { cases } from "./suites.ts"

let failed = 0
for (const { name, run } of cases) {
  try {
    await run()
  } catch (error) {
    failed++
    console.error(`FAILED: ${name}\n`, error)
  }
}
console.log(`${cases.length - failed} passed, ${failed} failed`)
if (failed > 0) throw new Error(`${failed} of ${cases.length} failed`)
