/**
 * The array of doors, package.json#exports and #imports, and the built files say the same.
 * `npm run check doors -- --accept` writes `exports` from the array.
 */

import { deepEqual } from "node:assert/strict"
import { access, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { doors, exportsOfDoors, platformModules } from "./doors.js"
import { root } from "./run.js"

/** Conditions that #imports may name; any other would split what runs from what is tested. */
const CONDITIONS = ["deno", "node", "default"]

/**
 * @param {string} path
 * @returns {Promise<unknown>}
 */
async function readJson(path) {
  return JSON.parse(await readFile(join(root, path), "utf8"))
}

/**
 * Every module of src/ ends in exactly one built file: a second copy would have a second WeakMap of keys.
 *
 * @param {import("esbuild").Metafile} metafile
 */
function assertOneCopyEach(metafile) {
  /** @type {Map<string, string>} */
  const places = new Map()
  for (const [output, { inputs }] of Object.entries(metafile.outputs)) {
    for (const input of Object.keys(inputs)) {
      const before = places.get(input)
      if (before !== undefined) throw new Error(`${input} is built into both ${before} and ${output}`)
      places.set(input, output)
    }
  }
}

/** @returns {Promise<string>} */
export async function check() {
  const manifest = /** @type {{ exports: object, imports: Record<string, Record<string, string>> }} */ (
    await readJson("package.json")
  )
  if (process.argv.includes("--accept")) {
    manifest.exports = exportsOfDoors()
    await writeFile(join(root, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`)
  }
  deepEqual(manifest.exports, exportsOfDoors(), "package.json#exports is not what tools/doors.js says")

  const targets = Object.values(manifest.imports).flatMap((conditions) => {
    deepEqual(
      Object.keys(conditions),
      CONDITIONS,
      "package.json#imports has other conditions, or in another order",
    )
    return Object.values(conditions)
  })
  const built = platformModules.map((name) => `./dist/${name}.js`)
  deepEqual(
    [...new Set(targets)].sort(),
    built.sort(),
    "package.json#imports names other files than tools/doors.js",
  )

  const files = [...doors.flatMap(({ name }) => [`dist/${name}.js`, `dist/${name}.d.ts`]), ...built]
  await Promise.all(files.map((file) => access(join(root, file))))
  assertOneCopyEach(/** @type {import("esbuild").Metafile} */ (await readJson("dist/metafile-esm.json")))
  return `${doors.length} doors`
}
