/**
 * `npm run test:runtimes`: the cases of test/runtimes over the packed and installed package, in every runtime of
 * tools/runtimes, so that the conditions of package.json#imports are decided by who decides them at a user's.
 */

import { writeFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { join } from "node:path"

import { build } from "esbuild"

import { withPacked } from "./packed.js"
import { bun, deno, isInstalled, node, workerd } from "./programs.js"
import { root, run } from "./run.js"
import { askWorker } from "./workers.js"

/** @typedef {{ command: string[], backend: "node" | "web", threads?: boolean }} Runtime */

/** @type {Record<string, Runtime>} */
const runtimes = {
  "this Node": { command: [process.execPath], backend: "node" },
  "Node 20.19.0": { command: node("node20"), backend: "node" },
  "Node 22": { command: node("node22"), backend: "node", threads: true },
  "Node 24": { command: node("node24"), backend: "node", threads: true },
  "Node 26": { command: node("node26"), backend: "node", threads: true },
  Bun: { command: bun, backend: "node" },
  Deno: { command: deno, backend: "web" },
}

/** Above what src/stream/crew-terms.ts asks for. */
const FILE_PROBE_BYTES = 160_000_000

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

/**
 * Seals and opens a file that is large enough for several threads, and says how many there were. A hole reads as any other bytes.
 *
 * @param {string} project
 */
async function writeFileProbe(project) {
  const file = join(project, "files.js")
  const code = `
    import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
    import { availableParallelism, tmpdir } from "node:os"
    import { join } from "node:path"
    import { generateKeyPair } from "sealwire"
    import { openFile, sealFile } from "sealwire/file"
    const folder = mkdtempSync(join(tmpdir(), "sealwire-threads-"))
    const [plain, sealed, opened] = ["plain", "sealed", "opened"].map((name) => join(folder, name))
    let threads = 0
    process.on("worker", () => threads++)
    try {
      writeFileSync(plain, "")
      truncateSync(plain, ${FILE_PROBE_BYTES})
      const { publicKey, privateKey } = await generateKeyPair()
      await sealFile(plain, sealed, { to: publicKey })
      const { bytes } = await openFile(sealed, opened, { with: privateKey })
      if (bytes !== ${FILE_PROBE_BYTES} || statSync(opened).size !== bytes) throw new Error(bytes + " bytes were opened")
      console.log(threads / Math.min(3, availableParallelism()))
    } finally {
      rmSync(folder, { recursive: true })
    }`
  await writeFile(file, code)
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
  const files = await writeFileProbe(project)
  for (const [name, { command, backend, threads }] of Object.entries(runtimes)) {
    await inRuntime(name, command, async () => {
      const [program = "", ...args] = command
      const chosen = (await run(program, [...args, probe], { cwd: project })).trim()
      if (chosen !== backend) throw new Error(`chose the backend "${chosen}", not "${backend}"`)
      const outcome = (await run(program, [...args, suite], { cwd: project })).trim()
      if (!threads) return `${backend.padEnd(4)} ${outcome}`
      const crews = (await run(program, [...args, files], { cwd: project })).trim()
      // one crew that seals, one that opens, each of all cores, where there are two
      if (crews !== (availableParallelism() > 1 ? "2" : "0"))
        throw new Error(`had ${crews} crews for two files`)
      return `${backend.padEnd(4)} files on all cores, ${outcome}`
    })
  }
  await inRuntime("workerd", workerd, async () => `web  ${await askWorker(project, workerd[0] ?? "")}`)
})
process.exitCode = failures === 0 ? 0 : 1
