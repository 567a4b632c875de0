/** What a browser pays for each door: bundled from the installed package, minified, gzipped; and what the bundle reaches. */

import { builtinModules } from "node:module"
import { gzipSync } from "node:zlib"

import { build } from "esbuild"

import { doors, specifier } from "./doors.js"

/**
 * The imports that have a budget; what most pages write stands first.
 *
 * @type {{ code: string, label: string, maxGzipBytes: number, packages: string[], runsOnNode?: boolean }[]}
 */
const bundles = [
  {
    code: `export { seal, open } from "sealwire"`,
    label: "{ seal, open }",
    maxGzipBytes: 7000,
    packages: /** @type {string[]} */ ([]),
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
 * @param {string} code
 * @param {string} project
 * @param {boolean} runsOnNode
 */
async function bundle(code, project, runsOnNode) {
  const result = await build({
    stdin: { contents: code, resolveDir: project },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    metafile: true,
    write: false,
    logLevel: "silent",
    external: runsOnNode ? [...builtinModules, "node:*"] : [],
  })
  const packages = new Set(Object.keys(result.metafile.inputs).map(packageOf))
  packages.delete(undefined)
  const [file] = result.outputFiles
  if (file === undefined) throw new Error(`nothing was built from: ${code}`)
  return {
    gzipBytes: gzipSync(file.contents, { level: 9 }).length,
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
  for (const { code, label, maxGzipBytes, packages, runsOnNode = false } of bundles) {
    const found = await bundle(code, project, runsOnNode)
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
