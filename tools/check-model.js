/**
 * The spin model of the replay guard holds as it is built, and fails as README.md beside it says for each seeded fault. So do the
 * ProVerif models, where `PROVERIF` names the program.
 */

import { rm } from "node:fs/promises"
import { join } from "node:path"

import { checkProverif } from "./proverif.js"
import { root, run } from "./run.js"
import { temporaryFolder } from "./temporary-folder.js"

const MODEL = join(root, "docs/formal/replay-guard.pml")
const TIMEOUT_MS = 300_000

/** What spin prints of a property that fails. */
const PROPERTIES = {
  once: "accepted<=1",
  notStale: "!(isStale)",
  notNeedless: "!(isNeedless)",
  neverAccepted: "!(accepted)",
  neverAcceptedAfterLoss: "!((accepted&&losses))",
}

/**
 * What is defined → the property that must fail; none where all must hold.
 *
 * @type {Record<string, keyof typeof PROPERTIES | undefined>}
 */
const variants = {
  "": undefined,
  "MAX_LOSSES=2": undefined,
  "N=3 MAX_LOSSES=0": undefined,
  PROMPT: undefined,
  SHARED_STORE: undefined,
  "PROMPT NO_WATERMARK": undefined,
  REACH_ACCEPTED: "neverAccepted",
  REACH_ACCEPTED_AFTER_LOSS: "neverAcceptedAfterLoss",
  SPLIT_CLAIM: "once",
  NO_RESTART_RULE: "once",
  NO_SECOND_LOOK: "once",
  NO_WATERMARK: "once",
  "PROMPT NO_WATERMARK SHORT_LIFE": "once",
  "PROMPT SHORT_LIFE": "notNeedless",
  NO_FRESHNESS: "notStale",
  FULL_CLOCK_ERROR: "once",
}

/** @param {string} program */
const isHere = (program) =>
  run(program, program === "spin" ? ["-V"] : ["--version"]).then(
    () => true,
    () => false,
  )

/**
 * Searches all states of a variant, the shortest ways first; gives spin's report.
 *
 * @param {string} variant
 */
async function search(variant) {
  const folder = temporaryFolder("model")
  const options = { cwd: folder, timeout: TIMEOUT_MS }
  try {
    const defines = variant.split(" ").filter(Boolean)
    await run("spin", ["-a", ...defines.map((define) => `-D${define}`), MODEL], options)
    await run("gcc", ["-O2", "-w", "-DSAFETY", "-DBFS", "-o", "pan", "pan.c"], options)
    return await run(join(folder, "pan"), ["-m100000"], options)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * @param {string} variant
 * @param {keyof typeof PROPERTIES | undefined} failing
 */
async function assertOutcome(variant, failing) {
  const report = await search(variant)
  const states = Number(/\b(\d+) states, stored/.exec(report)?.[1])
  const found = /assertion violated (.*) \(at depth/.exec(report)?.[1]?.trim()
  const isWhole = report.includes("errors: 0") && !/search not completed|too small|Warning/i.test(report)
  const isExpected = failing === undefined ? isWhole : found?.includes(PROPERTIES[failing])
  if (isExpected && states > 0) return states
  const wanted = failing === undefined ? "everything to hold" : `${PROPERTIES[failing]} to fail`
  throw new Error(`the model with "${variant}": expected ${wanted}:\n${report}`)
}

/** @returns {Promise<string>} */
async function checkSpin() {
  const missing = []
  for (const program of ["spin", "gcc"]) if (!(await isHere(program))) missing.push(program)
  if (missing.length > 0) {
    if (process.env["SEALWIRE_TEST_ALL"] === "1") throw new Error(`not installed: ${missing.join(", ")}`)
    return `SKIPPED: no model is checked, not installed: ${missing.join(", ")}`
  }
  let states = 0
  for (const [variant, failing] of Object.entries(variants)) states += await assertOutcome(variant, failing)
  const seeded = Object.values(variants).filter((failing) => failing !== undefined).length
  return `${Object.keys(variants).length - seeded} variants hold, ${seeded} fail as they must, ${states} states`
}

/** @returns {Promise<string>} */
export async function check() {
  const proverif = await checkProverif(process.env["PROVERIF"])
  return `${await checkSpin()}; ${proverif}`
}
