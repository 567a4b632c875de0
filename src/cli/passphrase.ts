/**
 * Where a passphrase comes from: a file, the environment, or the user at the terminal.
 *
 * @module
 */

import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"

import { type Command, Option } from "commander"

import { CommandError } from "./failure.ts"
import { readInput } from "./input.ts"

const MAX_PASSPHRASE_BYTES = 4096

/** Options that every command with private keys has. */
export interface PassphraseOptions {
  readonly passphraseFile?: string
}

/** Declares {@link PassphraseOptions}. */
export function addPassphraseOption(command: Command): Command {
  const option = new Option(
    "--passphrase-file <file>",
    "file whose first line is the passphrase of the private keys",
  )
  return command.addOption(option)
}

async function ask(question: string): Promise<string> {
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true })
  const ended = new AbortController()
  terminal.once("close", () => {
    ended.abort()
  })
  process.stderr.write(question)
  try {
    return await terminal.question("", { signal: ended.signal })
  } catch {
    throw new CommandError("ERR_PASSPHRASE", "no passphrase was typed")
  } finally {
    terminal.close()
    process.stderr.write("\n")
  }
}

async function readPassphraseFile(path: string): Promise<string> {
  const [line = ""] = (await readInput(path, MAX_PASSPHRASE_BYTES)).toString().split(/\r?\n/)
  return line
}

/** The passphrase of `--passphrase-file` or `SEALWIRE_PASSPHRASE`; undefined where there is neither. */
export async function givenPassphrase({ passphraseFile }: PassphraseOptions): Promise<string | undefined> {
  const passphrase =
    passphraseFile === undefined
      ? process.env["SEALWIRE_PASSPHRASE"]
      : await readPassphraseFile(passphraseFile)
  if (passphrase === "") throw new CommandError("ERR_PASSPHRASE", "the passphrase is empty")
  return passphrase
}

/** Asks at the terminal; fails where there is none. */
async function typedPassphrase(question: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const ways = "give --passphrase-file, or set SEALWIRE_PASSPHRASE"
    throw new CommandError("ERR_PASSPHRASE", `a passphrase is needed: ${ways}`)
  }
  const passphrase = await ask(question)
  if (passphrase === "") throw new CommandError("ERR_PASSPHRASE", "the passphrase is empty")
  return passphrase
}

/** The passphrase of a key that has one. */
export async function passphraseFor(path: string, options: PassphraseOptions): Promise<string> {
  return (await givenPassphrase(options)) ?? typedPassphrase(`Passphrase of ${path}: `)
}

/** A passphrase for a new key; typed twice, where it is typed. */
export async function newPassphrase(options: PassphraseOptions): Promise<string> {
  const given = await givenPassphrase(options)
  if (given !== undefined) return given
  const typed = await typedPassphrase("Passphrase for the private key: ")
  if ((await typedPassphrase("The same again: ")) === typed) return typed
  throw new CommandError("ERR_PASSPHRASE", "the two passphrases differ")
}
