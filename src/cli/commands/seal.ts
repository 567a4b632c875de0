/**
 * `sealwire seal`: a message into an envelope, or with `--file` a file of any size into a sealed file.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from "commander"

import { seal, type SealOptions } from "../../index.ts"
import { CommandError } from "../failure.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readInput } from "../input.ts"
import { readPublicKey, readSigningKey } from "../keys-file.ts"
import { addOutputOption, destinationOf, fill, PUBLIC_MODE, writeJson } from "../output.ts"
import { addPassphraseOption, type PassphraseOptions } from "../passphrase.ts"
import { assertOutput, sealBetween } from "../sealed-files.ts"

interface Options extends PassphraseOptions, JsonOption {
  readonly to: string
  readonly context: string
  readonly signWith?: string
  readonly output?: string
  readonly file?: true
  readonly metadata?: Readonly<Record<string, unknown>>
}

async function sealOptions(options: Options): Promise<SealOptions> {
  const { to, context, signWith } = options
  const shared = { to: await readPublicKey(to), context }
  return signWith === undefined ? shared : { ...shared, signWith: await readSigningKey(signWith, options) }
}

function parseMetadata(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    throw new InvalidArgumentError("It must be a JSON object.")
  }
}

async function runFile(input: string | undefined, options: Options): Promise<void> {
  const { output, json = false, metadata = {} } = options
  assertOutput(output, json)
  const sealing = await sealOptions(options)
  const { bytes } = await sealBetween({ input, output }, { ...sealing, metadata })
  if (json) await writeJson({ kid: sealing.to.kid, output, bytes })
}

async function run(input: string | undefined, options: Options): Promise<void> {
  if (options.file) return runFile(input, options)
  const { output, json, metadata } = options
  if (metadata) throw new CommandError("ERR_USAGE", "--metadata is for --file")
  const sealing = await sealOptions(options)
  const message = await readInput(input)
  if (json && output === undefined) {
    await writeJson({ kid: sealing.to.kid, envelope: await seal(message, sealing) })
    return
  }
  const destination = await destinationOf(output, PUBLIC_MODE)
  await fill([destination], async () => ({ contents: [`${await seal(message, sealing)}\n`] }))
  if (json) await writeJson({ kid: sealing.to.kid, output })
}

/** Adds `seal` to the program. */
export function addSeal(program: Command): void {
  const command = program
    .command("seal")
    .summary("seal a message to a recipient")
    .description(
      "Seals a message of up to 16 MiB, so that only the recipient can open it, and only once. With --file, a file of any size, which may be opened again.",
    )
    .argument("[file]", "the message or file; standard input for -, or for nothing")
    .requiredOption("--to <key>", "the recipient's public key, PEM or JWK")
    .option("--context <text>", "what the message is for; the reader must say the same", "")
    .option("--sign-with <key>", "your signing key, which proves that you sealed it")
    .option("--file", "make a sealed file: any size, in little memory, to be opened with --file")
    .option("--metadata <json>", "what the reader of a sealed file is told beside it", parseMetadata)
  addOutputOption(command, "envelope or sealed file")
  addPassphraseOption(command).action(run)
  finishCommand(command, [
    "sealwire seal --to bob.public.pem letter.txt -o letter.sealed",
    "echo 'pay 120 to Zoë' | sealwire seal --to bob.public.pem --context transfers --sign-with alice.signing.pem",
    "tar c photos | sealwire seal --file --to bob.public.pem -o photos.sealed",
  ])
}
