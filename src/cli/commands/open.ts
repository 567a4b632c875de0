/**
 * `sealwire open`: an envelope back into its message, once; with `--file` a sealed file back into the file.
 *
 * @module
 */

import { type Command, InvalidArgumentError, Option } from "commander"

import {
  createReplayGuard,
  dangerouslyAcceptReplays,
  open,
  type Opened,
  type OpenOptions,
  type ReplayGuard,
} from "../../index.ts"
import { claimsFile, claimsPath } from "../claims-file.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readEnvelope } from "../input.ts"
import { readPrivateKey, readVerifyingKey } from "../keys-file.ts"
import { addOutputOption, destinationOf, fill, PRIVATE_MODE, writeJson } from "../output.ts"
import { addPassphraseOption, type PassphraseOptions } from "../passphrase.ts"
import { assertOutput, openBetween } from "../sealed-files.ts"

interface Options extends PassphraseOptions, JsonOption {
  readonly key: string
  readonly context: string
  readonly signedBy?: readonly string[]
  readonly maxAge: number
  readonly acceptReplays?: true
  readonly output?: string
  readonly file?: true
}

const YEAR_SECONDS = 31_536_000
const DEFAULT_MAX_AGE_SECONDS = 120
/** A busy disk may take longer to flush than the library expects of a database. */
const STORE_TIMEOUT_MS = 10_000

function parseMaxAge(text: string): number {
  const seconds = /^[1-9]\d{0,7}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= YEAR_SECONDS) return seconds
  throw new InvalidArgumentError(`It must be whole seconds, 1 to ${YEAR_SECONDS}.`)
}

function guardOf({ maxAge, acceptReplays }: Options): ReplayGuard {
  if (acceptReplays) return dangerouslyAcceptReplays
  const store = claimsFile(claimsPath())
  return createReplayGuard({ store, maxAgeSeconds: maxAge, storeTimeoutMs: STORE_TIMEOUT_MS })
}

async function readerOptions(options: Options): Promise<Omit<OpenOptions, "replay">> {
  const { key, context, signedBy = [] } = options
  const shared = { with: await readPrivateKey(key, options), context }
  if (signedBy.length === 0) return shared
  return { ...shared, signedBy: await Promise.all(signedBy.map(readVerifyingKey)) }
}

async function openOptions(options: Options): Promise<OpenOptions> {
  return { ...(await readerOptions(options)), replay: guardOf(options) }
}

async function runFile(input: string | undefined, options: Options): Promise<void> {
  const { output, json = false } = options
  assertOutput(output, json)
  const opened = await openBetween({ input, output }, await readerOptions(options))
  const { id, issuedAt, kid, signer = null, metadata, bytes } = opened
  if (json) await writeJson({ id, issuedAt: issuedAt.toISOString(), kid, signer, metadata, bytes, output })
}

function reportOf(opened: Opened): object {
  const { id, issuedAt, kid, signer = null, digest, message } = opened
  const sha256 = Buffer.from(digest).toString("hex")
  return { id, issuedAt: issuedAt.toISOString(), kid, signer, sha256, bytes: message.length }
}

async function run(input: string | undefined, options: Options): Promise<void> {
  if (options.file) return runFile(input, options)
  const { output, json } = options
  const opening = await openOptions(options)
  const envelope = await readEnvelope(input)
  if (json && output === undefined) {
    const opened = await open(envelope, opening)
    await writeJson({ ...reportOf(opened), messageBase64: Buffer.from(opened.message).toString("base64") })
    return
  }
  // made first: an envelope must not be used up when there is no place for its message
  const destination = await destinationOf(output, PRIVATE_MODE)
  const { opened } = await fill([destination], async () => {
    const opened = await open(envelope, opening)
    return { contents: [opened.message], opened }
  })
  if (json) await writeJson({ ...reportOf(opened), output })
}

const collect = (path: string, before: readonly string[] = []): readonly string[] => [...before, path]

/** Adds `open` to the program. */
export function addOpen(program: Command): void {
  const command = program
    .command("open")
    .summary("open an envelope, once")
    .description(
      "Opens an envelope, and notes it in a file, so that a copy of it is refused. The message comes out only when all of it is authentic.",
    )
    .argument("[file]", "the envelope or sealed file; standard input for -, or for nothing")
    .requiredOption("--key <key>", "your private key, PEM or JWK")
    .option("--context <text>", "what the message is for, as the sender said", "")
    .option("--signed-by <key>", "require a signature by this verifying key; may be repeated", collect)
    .option("--max-age <seconds>", "oldest envelope to accept", parseMaxAge, DEFAULT_MAX_AGE_SECONDS)
    .addOption(
      new Option("--accept-replays", "accept any age and any number of copies; note nothing").conflicts(
        "maxAge",
      ),
    )
    .addOption(
      new Option("--file", "open a sealed file, of any size and age, and as often as you like").conflicts([
        "maxAge",
        "acceptReplays",
      ]),
    )
  addOutputOption(command, "message or file")
  addPassphraseOption(command).action(run)
  finishCommand(command, [
    "sealwire open --key bob.private.pem letter.sealed",
    "sealwire open --key bob.private.pem --context transfers --signed-by alice.verifying.pem --max-age 86400 < envelope",
    "sealwire open --file --key bob.private.pem photos.sealed | tar x",
  ])
  command.addHelpText("after", `Opened envelopes are noted in ${claimsPath()}`)
}
