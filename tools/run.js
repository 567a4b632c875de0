/** Running other programs: their output is shown only when they fail. */

import { execFile } from "node:child_process"
import { dirname } from "node:path"

/** The repository. */
export const root = dirname(import.meta.dirname)

/**
 * Runs a program to its end and gives its standard output; rejects with everything it said when it fails.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {import("node:child_process").ExecFileOptions} [options]
 * @returns {Promise<string>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const settings = {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
      encoding: /** @type {const} */ ("utf8"),
      ...options,
    }
    execFile(program, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(String(stdout))
      else reject(new Error(`${[program, ...args].join(" ")}\n${String(stdout)}${String(stderr)}`.trim()))
    })
  })
}

/**
 * Runs a program of this repository's node_modules.
 *
 * @param {string} name
 * @param {string[]} args
 * @param {import("node:child_process").ExecFileOptions} [options]
 */
export const runTool = (name, args, options) => run(`${root}/node_modules/.bin/${name}`, args, options)
