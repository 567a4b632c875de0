/** `npm run demo [-- --check]`: real input through the built package. `--check` says only which steps had their outcome. */

import { printFailure, printHeading, printLines, printStep } from "./screen.js"
import { tell } from "./story.js"

const [option, ...others] = process.argv.slice(2)
if ((option !== undefined && option !== "--check") || others.length > 0) {
  printFailure("usage: npm run demo [-- --check]")
  process.exit(2)
}
const isCheck = option === "--check"
let steps = 0

/** @type {import("./story.js").Step} */
async function step(title, run) {
  const number = ++steps
  /** @type {[label: string, value: string][]} */
  const lines = []
  const start = performance.now()
  try {
    const result = await run((label, value) => lines.push([label, value]))
    printStep(number, title, performance.now() - start, true)
    if (!isCheck) printLines(lines)
    return result
  } catch (error) {
    printStep(number, title, performance.now() - start, false)
    throw new Error(`step ${number} failed: ${title}`, { cause: error })
  }
}

try {
  printHeading(`Sealwire on Node ${process.versions.node}`)
  await tell(step)
  printHeading(`All ${steps} steps had their outcome. (Times: first calls, cold.)`)
} catch (error) {
  const { message, cause } = /** @type {Error} */ (error)
  const [reason = ""] = String(cause).split("\n") // an assertion shows both sides after its first line
  printFailure(`\n${message}\n${reason}`)
  process.exitCode = 1
}
