/**
 * `npm run test:runtimes`: the cases of test/runtimes over the packed and installed package, in every runtime of
 * tools/runtimes, so that the conditions of package.json#imports are decided by who decides them at a user's.
 */

import { writeFile } from "node:fs/promises"
import { join } from "node:path"

import { build } from "esbuild"

import { withPacked } from "./packed.js"
import { bun, deno, isInstalled, node, workerd } from "./programs.js"
import { root, run } from "./run.js"
import { askWorker } from "./workers.js"

/** @typedef {{ command: string[], backend: "node" | "web" }} Runtime */

/** @type {Record<string, Runtime>} */
const runtimes = {
  "this Node": { command: [process.execPath], backend: "node" },
  "Node 20.19.0": { command: node("node20"), backend: "node" },
  "Node 22": { command: node("node22"), backend: "node" },
  "Node 24": { command: node("node24"), backend: "node" },
  "Node 26": { command: node("node26"), backend: "node" },
  Bun: { command: bun, backend: "node" },
  Deno: { command: deno, backend: "web" },
}

/**
 * Bundles the cases, leaving the package to be found by the runtime.
 *
 * @param {string} project
 */
async function writeSuite(project) {
  const outfile = join(project, "suite.js")
  const entryPoints = [join(root, "test/runtimes/plain.ts")]
  const external = ["sealwire", "sealwire/*"]
  await build({
    entryPoints,
    outfile,
    external,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
  })
  return outfile
}

/**
 * A file inside the installed package, where `#backend` means what it means to the package.
 *
 * @param {string} project
 */
async function writeProbe(project) {
  const file = join(project, "node_modules/sealwire/probe.js")
  await writeFile(file, `import { backend } from "#backend"\nconsole.log(backend.name)\n`)
  return file
}

let failures = 0

/**
 * @param {string} name
 * @param {string[]} command
 * @param {() => Promise<string>} test Gives what it found.
 */
async function inRuntime(name, command, test) {
  if (!isInstalled(command)) {
    const required = process.env["SEALWIRE_TEST_ALL"] === "1"
    if (required) failures++
    console.log(
      `${required ? "FAILED" : "SKIPPED"}: ${name} is not installed; npm ci --prefix tools/runtimes`,
    )
    return
  }
  try {
    console.log(`${name.padEnd(12)} ${await test()}`)
  } catch (error) {
    failures++
    console.log(`FAILED: ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

await withPacked(async ({ project }) => {
  const [suite, probe] = [await writeSuite(project), await writeProbe(project)]
  for (const [name, { command, backend }] of Object.entries(runtimes)) {
    await inRuntime(name, command, async () => {
      const [program = "", ...args] = command
      const chosen = (await run(program, [...args, probe], { cwd: project })).trim()
      if (chosen !== backend) throw new Error(`chose the backend "${chosen}", not "${backend}"`)
      const outcome = (await run(program, [...args, suite], { cwd: project })).trim()
      return `${backend.padEnd(4)} ${outcome}`
    })
  }
  await inRuntime("workerd", workerd, async () => `web  ${await askWorker(project, workerd[0] ?? "")}`)
})
process.exitCode = failures === 0 ? 0 : 1
