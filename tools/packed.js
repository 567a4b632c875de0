/** The package as a user gets it: packed, and installed into an empty project. Checks look at this, not at the tree. */

import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { run } from "./run.js"
import { temporaryFolder } from "./temporary-folder.js"

/** @typedef {{ filename: string, size: number, files: { path: string }[] }} PackReport */

/**
 * @typedef {object} Packed
 * @property {string} tarball Path of the `.tgz`.
 * @property {{ path: string }[]} files What is in it.
 * @property {number} packedBytes
 * @property {string} project An empty project with the package and its dependencies installed.
 */

/**
 * Packs and installs, hands the result over, and removes it.
 *
 * @template T
 * @param {(packed: Packed) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withPacked(use) {
  const project = temporaryFolder("packed")
  try {
    const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", project]
    const [report] = /** @type {[PackReport]} */ (JSON.parse(await run("npm", pack)))
    const tarball = join(project, report.filename)
    const manifest = { name: "consumer", private: true, type: "module" }
    await writeFile(join(project, "package.json"), JSON.stringify(manifest))
    const quiet = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    await run("npm", ["install", ...quiet, tarball], { cwd: project })
    return await use({ tarball, files: report.files, packedBytes: report.size, project })
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}
