/** The code that the documentation shows compiles against the installed package, runs, and gives what it says (examples.js). */

import { match } from "node:assert/strict"
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { delimiter, join } from "node:path"

import { collectExamples, instrument } from "./examples.js"
import { bun, deno, isInstalled } from "./programs.js"
import { root, run, runTool } from "./run.js"

/** @typedef {import("./examples.js").Example} Example */

const TIMEOUT_MS = 60_000

/** What an adapter's user has installed besides. */
const FRAMEWORKS = ["express", "fastify", "hono", "jose", "zod", "@types/express"]

const PROGRAMS = { bun, deno }

const COMPILER_OPTIONS = {
  target: "ES2022",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  lib: ["ES2023", "DOM"],
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitAny: false,
  allowJs: true,
  checkJs: true,
  moduleDetection: "force",
  noEmit: true,
  skipLibCheck: true,
}

/**
 * Whether what runs it is installed; where everything is to be tested, it has to be.
 *
 * @param {Example} example
 */
const canRun = ({ program }) =>
  program === undefined || isInstalled(PROGRAMS[program]) || process.env["SEALWIRE_TEST_ALL"] === "1"

/** @param {Example} example */
const nameOf = ({ place }) => place.replaceAll(/\W+/g, "-")

/**
 * Compiles the examples as they stand.
 *
 * @param {string} folder
 * @param {Example[]} examples
 */
async function compile(folder, examples) {
  for (const example of examples) {
    const ending = { ts: "ts", js: "mjs", sh: undefined }[example.language]
    if (ending) await writeFile(join(folder, `${nameOf(example)}.${ending}`), example.code)
  }
  const config = join(folder, "tsconfig.json")
  await writeFile(config, JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ["*.ts", "*.mjs"] }))
  await runTool("tsc", ["-p", config])
}

/**
 * Runs a shell block and compares what it prints; `…` stands for anything.
 *
 * @param {string} code
 * @param {import("node:child_process").ExecFileOptions} options
 */
async function runShell(code, options) {
  const OUTPUT = /(?:^# → .*\n)+/gm
  const script = code.replaceAll(OUTPUT, "printf '\\36'\n")
  const printed = (await run("bash", ["-euo", "pipefail", "-c", script], options)).split("\u{1e}")
  const outputs = [...code.matchAll(OUTPUT)]
  for (const [index, [expected]] of outputs.entries()) {
    const literal = expected.replaceAll(/^# → /gm, "").replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")
    match(printed[index] ?? "", new RegExp(`^${literal.replaceAll("…", ".*")}$`, "s"))
  }
  return outputs.length
}

/**
 * Runs an example in a folder of its own inside the project, where the package is installed.
 *
 * @param {string} project
 * @param {Example} example
 * @returns {Promise<number>} How many promises it kept.
 */
async function runExample(project, example) {
  const folder = join(project, "examples", nameOf(example))
  await mkdir(folder)
  const path = [join(project, "node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter)
  const env = { ...process.env, HOME: folder, XDG_STATE_HOME: folder, PATH: path }
  const options = { cwd: folder, env, timeout: TIMEOUT_MS }
  if (example.language === "sh") return runShell(example.code, options)
  const file = join(folder, "run.mjs")
  const { code, promises } = instrument(example)
  await writeFile(file, code)
  const [program = "", ...args] = example.program ? PROGRAMS[example.program] : [process.execPath]
  await run(program, [...args, file], options)
  return promises
}

/**
 * Installs the libraries that examples/clients puts over the client, beside the package.
 *
 * @param {string} project
 */
async function installClients(project) {
  const manifest = await readFile(join(root, "examples/clients/package.json"), "utf8")
  /** @type {{ dependencies: Record<string, string> }} */
  const { dependencies } = JSON.parse(manifest)
  const peers = Object.entries(dependencies).filter(([name]) => name !== "sealwire")
  const quiet = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
  await run("npm", ["install", ...quiet, ...peers.map((peer) => peer.join("@"))], { cwd: project })
}

/**
 * @param {import("./packed.js").Packed} packed
 * @returns {Promise<string>}
 */
export async function check({ project }) {
  const found = await collectExamples()
  const examples = found.filter(canRun)
  // first: it would remove the links below
  await installClients(project)
  await mkdir(join(project, "examples"))
  await mkdir(join(project, "node_modules/@types"), { recursive: true })
  for (const name of FRAMEWORKS) {
    await symlink(join(root, "node_modules", name), join(project, "node_modules", name))
  }
  await compile(join(project, "examples"), examples)
  const waiting = [...examples]
  /** @type {string[]} */
  const failures = []
  let promises = 0
  const work = async () => {
    for (let example = waiting.shift(); example; example = waiting.shift()) {
      try {
        const kept = await runExample(project, example)
        promises += kept
      } catch (error) {
        failures.push(`${example.place}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  if (failures.length > 0) throw new Error(failures.join("\n\n"))
  const left = found.length - examples.length
  const skipped =
    left > 0 ? `; ${left} SKIPPED, whose runtime is not installed (npm ci --prefix tools/runtimes)` : ""
  return `${examples.length} examples compile and run, ${promises} promises kept${skipped}`
}
