#!/usr/bin/env node
/**
 * The command `sealwire`: the library's first user, over its public doors only.
 *
 * @module
 */

import { readFileSync } from "node:fs"

import { Command } from "commander"

import { addApiKeys } from "./commands/api-keys.ts"
import { addCheck } from "./commands/check.ts"
import { addInspect } from "./commands/inspect.ts"
import { addKeys } from "./commands/keys.ts"
import { addKeygen } from "./commands/keygen.ts"
import { addOpen } from "./commands/open.ts"
import { addSeal } from "./commands/seal.ts"
import { addVectors } from "./commands/vectors.ts"
import { reportFailure } from "./failure.ts"

/** A file of the package; this one is as deep in src/ as it is in dist/. */
const packaged = (path: string): URL => new URL(`../../${path}`, import.meta.url)

function versionOf(file: URL): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version
}

const AFTER_HELP = `
Exit codes: 0 done, 1 refused or failed, 2 the command line makes no sense; check: 3 not all was tested.
Errors are one line on standard error: sealwire: CODE: what went wrong.
A passphrase comes from --passphrase-file, SEALWIRE_PASSPHRASE, or the terminal.

Example:
  $ sealwire keygen bob
  $ sealwire seal --to bob.public.pem letter.txt -o letter.sealed
  $ sealwire open --key bob.private.pem letter.sealed
`

function createProgram(): Command {
  const program = new Command("sealwire")
    .description("Seals messages that only the recipient can read, and that count once.")
    .version(versionOf(packaged("package.json")))
    .addHelpText("after", AFTER_HELP)
    // an id of a key may begin with "-V"
    .enablePositionalOptions()
    .exitOverride()
    // failures are reported in one place
    .configureOutput({ outputError: () => undefined })
  addKeygen(program)
  addKeys(program)
  addSeal(program)
  addOpen(program)
  addInspect(program)
  addApiKeys(program)
  addCheck(program)
  addVectors(program, packaged("vectors/known-answers.json"))
  return program
}

try {
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = reportFailure(error, process.argv.includes("--json"))
}
