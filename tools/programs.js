/** Programs of tools/runtimes, beside the Node that runs npm: how each runs a file, and whether it is there. */

import { existsSync } from "node:fs"
import { join } from "node:path"

import { root } from "./run.js"

const installed = join(root, "tools/runtimes/node_modules")

/** @param {string} name */
export const node = (name) => [join(installed, name, "bin/node")]
export const bun = [join(installed, "@oven/bun-linux-x64/bin/bun")]
export const deno = [
  join(installed, "@deno/linux-x64-glibc/deno"),
  "run",
  "--allow-all",
  "--cached-only",
  "--quiet",
]

export const workerd = [join(installed, "@cloudflare/workerd-linux-64/bin/workerd")]

/** @param {string[]} command */
export const isInstalled = ([program = ""]) => existsSync(program)
