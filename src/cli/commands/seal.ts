/**
 * `sealwire seal`: a message into an envelope.
 *
 * @module
 */

import type { Command } from "commander"

import { seal, type SealOptions } from "../../index.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readInput } from "../input.ts"
import { readPublicKey, readSigningKey } from "../keys-file.ts"
import { addOutputOption, destinationOf, fill, PUBLIC_MODE, writeJson } from "../output.ts"
import { addPassphraseOption, type PassphraseOptions } from "../passphrase.ts"

interface Options extends PassphraseOptions, JsonOption {
  readonly to: string
  readonly context: string
  readonly signWith?: string
  readonly output?: string
}

async function sealOptions(options: Options): Promise<SealOptions> {
  const { to, context, signWith } = options
  const shared = { to: await readPublicKey(to), context }
  return signWith === undefined ? shared : { ...shared, signWith: await readSigningKey(signWith, options) }
}

async function run(input: string | undefined, options: Options): Promise<void> {
  const { output, json } = options
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
    .description("Seals a message of up to 16 MiB, so that only the recipient can open it, and only once.")
    .argument("[file]", "the message; standard input for -, or for nothing")
    .requiredOption("--to <key>", "the recipient's public key, PEM or JWK")
    .option("--context <text>", "what the message is for; the reader must say the same", "")
    .option("--sign-with <key>", "your signing key, which proves that you sealed it")
  addOutputOption(command, "envelope")
  addPassphraseOption(command).action(run)
  finishCommand(command, [
    "sealwire seal --to bob.public.pem letter.txt -o letter.sealed",
    "echo 'pay 120 to Zoë' | sealwire seal --to bob.public.pem --context transfers --sign-with alice.signing.pem",
  ])
}
