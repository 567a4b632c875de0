/** The tarball: its exact files, and what publint and attw say of its manifest and types. */

import { deepEqual } from "node:assert/strict"

import { doors, lazyModules, platformModules, workerModules } from "./doors.js"
import { runTool } from "./run.js"

const FIXED_FILES = [
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "SECURITY.md",
  "vectors/known-answers.json",
  "dist/cli/main.js",
]

/** Chunks that doors share; their names carry a hash. */
const CHUNK = /^dist\/(?:chunk-[A-Z0-9]{8}\.js|[a-z-]+-[\w-]{8}\.d\.ts)$/

/** @param {import("./packed.js").Packed} packed */
function assertFiles({ files }) {
  const named = files.map(({ path }) => path).filter((path) => !CHUNK.test(path))
  const expected = [
    ...FIXED_FILES,
    ...doors.flatMap(({ name }) => [`dist/${name}.js`, `dist/${name}.d.ts`]),
    ...[...platformModules, ...lazyModules, ...workerModules].map((name) => `dist/${name}.js`),
  ]
  deepEqual(named.sort(), expected.sort(), "the tarball holds other files than it should")
}

/**
 * @param {import("./packed.js").Packed} packed
 * @returns {Promise<string>}
 */
export async function check(packed) {
  assertFiles(packed)
  await runTool("publint", ["--strict", packed.tarball])
  await runTool("attw", [packed.tarball, "--profile", "esm-only", "--no-color"])
  return `${packed.files.length} files, ${(packed.packedBytes / 1000).toFixed(1)} kB packed; publint and attw agree`
}
