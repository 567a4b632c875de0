/**
 * `npm run demo [-- --port N] [-- --max-age SECONDS] [-- --check]`: a bank with a sealed API and a page, on loopback.
 * It says where it listens, and ends on SIGINT or SIGTERM. `--check` goes through every step from Node instead of waiting for a browser.
 */

import { parseArgs } from "node:util"

import { check } from "./check.js"
import { printFailure } from "./screen.js"
import { startDemo } from "./server.js"

const USAGE = `usage: npm run demo [-- OPTIONS]

  --port N           listen there on 127.0.0.1 (default: a free port)
  --max-age SECONDS  oldest message that counts, 1 to 3600 (default: 30; with --check: 3)
  --check            go through every step from Node; exit 0 only if each had its outcome
`

/**
 * @param {string | undefined} text
 * @param {string} name
 * @param {number} least
 * @param {number} most
 */
function wholeNumber(text, name, least, most) {
  if (text === undefined) return undefined
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not "${text}"`)
}

function readArguments() {
  const options = /** @type {const} */ ({
    port: { type: "string" },
    "max-age": { type: "string" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  })
  const { values } = parseArgs({ options })
  return {
    port: wholeNumber(values.port, "--port", 0, 65_535) ?? 0,
    maxAgeSeconds: wholeNumber(values["max-age"], "--max-age", 1, 3600) ?? (values.check ? 3 : 30),
    isCheck: values.check,
    isHelp: values.help,
  }
}

/**
 * Calls `end` when this process should end.
 *
 * @param {() => void} end
 */
function onEnd(end) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end)
  // npm hands a signal to the shell between, and that one dies of it without handing it on
  const parent = process.ppid
  const isNpm = process.env["npm_lifecycle_event"] === "demo"
  if (isNpm) setInterval(() => process.ppid !== parent && end(), 200).unref()
}

/** @param {{ port: number, maxAgeSeconds: number }} options */
async function serve(options) {
  const demo = await startDemo(options)
  onEnd(() => void demo.close())
  console.log(`ready ${demo.origin}`)
  console.log(JSON.stringify({ identity: demo.identity, directory: demo.directory }))
  console.log(
    "At most 600 requests a minute of each level; a server of your own has 5, 30 and 60 unless you say otherwise.",
  )
}

try {
  const { isCheck, isHelp, ...options } = readArguments()
  if (isHelp) console.log(USAGE)
  else if (isCheck) process.exitCode = (await check(options)) ? 0 : 1
  else await serve(options)
} catch (error) {
  const { message, code = "" } = /** @type {Error & { code?: string }} */ (error)
  const isUsage = error instanceof RangeError || code.startsWith("ERR_PARSE_ARGS")
  printFailure(isUsage ? `${message}\n\n${USAGE}` : message)
  process.exitCode = isUsage ? 2 : 1
}
