/**
 * The declarations stand on their own: a consumer compiles against the installed package under every resolution that
 * reads `exports`, with neither the DOM's types nor Node's (save for doors that speak HTTP, which need `Request`, and those
 * for Node alone), and with the libraries' own declarations checked too.
 */

import { writeFile } from "node:fs/promises"
import { join } from "node:path"

import { doors, specifier } from "./doors.js"
import { root, runTool } from "./run.js"

const RESOLUTIONS = [
  { module: "ESNext", moduleResolution: "bundler" },
  { module: "Node16", moduleResolution: "Node16" },
  { module: "NodeNext", moduleResolution: "NodeNext" },
]

/**
 * @param {string} project
 * @param {string} consumer
 * @param {string[]} lib
 * @param {string[]} types
 * @param {import("./doors.js").Door[]} imported
 * @param {typeof RESOLUTIONS} resolutions
 */
async function compile(project, consumer, lib, types, imported, resolutions = RESOLUTIONS) {
  const imports = imported.map((door, index) => `export * as door${index} from "${specifier(door)}"\n`)
  await writeFile(join(project, `${consumer}.ts`), imports.join(""))
  for (const resolution of resolutions) {
    const compilerOptions = {
      ...resolution,
      target: "ES2022",
      lib,
      types,
      typeRoots: [join(root, "node_modules/@types")],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
    }
    const config = join(project, `tsconfig.${consumer}.${resolution.moduleResolution}.json`)
    await writeFile(config, JSON.stringify({ compilerOptions, files: [`${consumer}.ts`] }))
    await runTool("tsc", ["-p", config])
  }
}

/**
 * @param {import("./packed.js").Packed} packed
 * @returns {Promise<string>}
 */
export async function check({ project }) {
  const plain = doors.filter(({ speaksHttp }) => !speaksHttp)
  const web = doors.filter(({ runsOnNode }) => !runsOnNode)
  await compile(project, "plain", ["ES2022"], [], plain)
  await compile(project, "http", ["ES2022", "DOM"], [], web)
  // Node's own declarations take a while
  await compile(project, "node", ["ES2022", "DOM"], ["node"], doors, RESOLUTIONS.slice(-1))
  return `${doors.length} doors under ${RESOLUTIONS.map((each) => each.moduleResolution).join(", ")}, ES2022 alone`
}
