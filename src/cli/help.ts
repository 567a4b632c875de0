/**
 * What the help of every command has in common.
 *
 * @module
 */

import type { Command } from "commander"

/** Options of every command. */
export interface JsonOption {
  readonly json?: true
}

/** Adds `--json`, and the examples below the help. */
export function finishCommand(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ ${example}\n`)
  return command
    .option("--json", "one JSON document on standard output, and errors as JSON")
    .addHelpText("after", `\nExamples:\n${lines.join("")}`)
}
