/**
 * The declarations stand on their own: a consumer compiles against the installed package under every resolution that
 * reads `exports`, with neither the DOM's types nor Node's, and with the libraries' own declarations checked too.
 */

import { writeFile } from "node:fs/promises"
import { join } from "node:path"

import { doors, specifier } from "./doors.js"
import { runTool } from "./run.js"

const RESOLUTIONS = [
  { module: "ESNext", moduleResolution: "bundler" },
  { module: "Node16", moduleResolution: "Node16" },
  { module: "NodeNext", moduleResolution: "NodeNext" },
]

/**
 * @param {import("./packed.js").Packed} packed
 * @returns {Promise<string>}
 */
export async function check({ project }) {
  const imports = doors.map((door, index) => `export * as door${index} from "${specifier(door)}"\n`)
  await writeFile(join(project, "consumer.ts"), imports.join(""))
  for (const resolution of RESOLUTIONS) {
    const compilerOptions = {
      ...resolution,
      target: "ES2022",
      lib: ["ES2022"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
    }
    const config = join(project, `tsconfig.${resolution.moduleResolution}.json`)
    await writeFile(config, JSON.stringify({ compilerOptions, files: ["consumer.ts"] }))
    await runTool("tsc", ["-p", config])
  }
  return `${doors.length} doors under ${RESOLUTIONS.map((each) => each.moduleResolution).join(", ")}, ES2022 alone`
}
