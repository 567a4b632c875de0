/**
 * Folders that go when the process ends, also by Ctrl-C, by `timeout`, or by an error: benchmarks leave gigabytes.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"

/** @type {(() => void)[]} */
const ends = []

/**
 * Has something done at the end, by whichever way there is one but `kill -9`.
 *
 * @param {() => void} end
 */
export function onExit(end) {
  if (ends.push(end) > 1) return
  process.once("exit", () => {
    for (const each of ends) each()
  })
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

/**
 * Makes a folder `sealwire-<name>-…`. Whoever is done with it before the end may remove it before.
 *
 * @param {string} name
 * @param {string} [parent]
 */
export function temporaryFolder(name, parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, `sealwire-${name}-`))
  onExit(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return folder
}
