/** What a browser pays for each door: bundled from the installed package, minified, gzipped; and what the bundle reaches. */

import { builtinModules } from "node:module"
import { basename } from "node:path"
import { gzipSync } from "node:zlib"

import { build } from "esbuild"

import { doors, specifier } from "./doors.js"

/**
 * @typedef {object} Bundle
 * @property {string} code
 * @property {string} label
 * @property {number} maxGzipBytes
 * @property {string[]} packages Other packages that it may reach.
 * @property {boolean} [runsOnNode]
 * @property {string[]} [later] Parts that count, of those that come later. Default: all, and in one file.
 */

const client = `export { createClient } from "sealwire/client"`

/**
 * The imports that have a budget; what most pages write stands first. A client is measured as a page loads it: what it needs at
 * once; and all that it needs before its first request, where it brings the server's keys, and where it has pins.
 *
 * @type {Bundle[]}
 */
const bundles = [
  {
    code: `export { seal, open } from "sealwire"`,
    label: "{ seal, open }",
    maxGzipBytes: 7000,
    packages: [],
  },
  { code: client, label: "{ createClient }", maxGzipBytes: 12_000, packages: [], later: [] },
  {
    code: `${client}\nexport { importPublicKey } from "sealwire"`,
    label: "{ createClient, importPublicKey }",
    maxGzipBytes: 15_000,
    packages: [],
    later: [],
  },
  {
    code: client,
    label: "{ createClient } with pins",
    maxGzipBytes: 16_100,
    packages: ["idb-keyval"],
    later: ["client/pinned-keys"],
  },
  ...doors.map((door) => ({ ...door, code: `export * from "${specifier(door)}"`, label: specifier(door) })),
]

/**
 * The package that a bundled file belongs to, or undefined for our own.
 *
 * @param {string} path
 */
function packageOf(path) {
  const [first = "", second = ""] = path.split("node_modules/").at(-1)?.split("/") ?? []
  const name = first.startsWith("@") ? `${first}/${second}` : first
  return name === "sealwire" || !path.includes("node_modules/") ? undefined : name
}

/**
 * The outputs that a page loads at once, and those that these parts bring.
 *
 * @param {import("esbuild").Metafile["outputs"]} outputs
 * @param {string[]} later
 */
function loadedOf(outputs, later) {
  const isStart = ({ entryPoint = "" }) =>
    entryPoint === "<stdin>" || later.some((name) => entryPoint.endsWith(`/sealwire/dist/${name}.js`))
  const starts = Object.keys(outputs).filter((path) => isStart(outputs[path] ?? {}))
  if (starts.length !== 1 + later.length) throw new Error(`not all of ${later.join(", ")} are loaded later`)
  const loaded = new Set(starts)
  for (const path of loaded) {
    for (const { kind, path: imported } of outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && imported in outputs) loaded.add(imported)
    }
  }
  return loaded
}

/**
 * @param {Bundle} bundle
 * @param {string} project
 */
async function measure({ code, runsOnNode = false, later }, project) {
  const result = await build({
    stdin: { contents: code, resolveDir: project },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    metafile: true,
    write: false,
    outdir: project,
    splitting: later !== undefined,
    logLevel: "silent",
    external: runsOnNode ? [...builtinModules, "node:*"] : [],
  })
  const { outputs } = result.metafile
  const loaded = later === undefined ? new Set(Object.keys(outputs)) : loadedOf(outputs, later)
  const names = [...loaded].map((path) => basename(path))
  const files = result.outputFiles.filter(({ path }) => names.includes(basename(path)))
  if (files.length === 0 || files.length !== names.length) throw new Error(`not built as expected: ${code}`)
  const packages = new Set(
    [...loaded].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {})).map(packageOf),
  )
  packages.delete(undefined)
  return {
    gzipBytes: files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0),
    packages: [.../** @type {Set<string>} */ (packages)],
  }
}

/**
 * @param {import("./packed.js").Packed} packed
 * @returns {Promise<string>}
 */
export async function check({ project }) {
  const problems = []
  const sizes = []
  for (const bundle of bundles) {
    const { label, maxGzipBytes, packages } = bundle
    const found = await measure(bundle, project)
    sizes.push(`${label} ${(found.gzipBytes / 1000).toFixed(2)}`)
    if (found.gzipBytes > maxGzipBytes) {
      problems.push(`${label}: ${found.gzipBytes} bytes gzipped, budget ${maxGzipBytes}`)
    }
    const strangers = found.packages.filter((name) => !packages.includes(name))
    if (strangers.length > 0) problems.push(`${label} pulls in ${strangers.join(", ")}`)
  }
  const summary = `kB gzipped: ${sizes.join(", ")}`
  if (problems.length > 0) throw new Error([summary, ...problems].join("\n"))
  return summary
}
