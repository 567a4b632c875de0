/**
 * `sealwire vectors`: opens the known answers of docs/protocol.md §12 that come with the package, and compares every value.
 * The replies in that file need the asker's secrets and are left to the library's own tests.
 *
 * @module
 */

import { readFile } from "node:fs/promises"

import type { Command } from "commander"

import { createReplayGuard, importPrivateKey, open, type OpenOptions } from "../../index.ts"
import { importSigningKey, type Jwk } from "../../keys.ts"
import { CommandError, reasonOf } from "../failure.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { writeJson, writeStdout } from "../output.ts"

interface KnownAnswer {
  readonly name: string
  readonly context: string
  readonly message: string | { readonly length: number }
  readonly message_sha256: string
  readonly recipient: "recipient" | "recipient_3072"
  readonly signer: string | null
  readonly iat: number
  readonly id: string
  readonly claim_id: string
  readonly envelope: string
}

interface KnownAnswers {
  readonly recipient: Jwk
  readonly recipient_3072: Jwk
  readonly signer: Jwk
  readonly signer_es256: Jwk
  readonly cases: readonly KnownAnswer[]
}

interface Outcome {
  readonly name: string
  readonly passed: boolean
  /** Names of the values that differ, or the code of a refusal. */
  readonly differences: readonly string[]
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** A long message is given by its rule. */
function messageHex({ message }: KnownAnswer): string {
  if (typeof message === "string") return message
  return hexOf(Uint8Array.from({ length: message.length }, (_, i) => (i * 7) % 256))
}

async function optionsFor(answer: KnownAnswer, answers: KnownAnswers): Promise<Omit<OpenOptions, "replay">> {
  const context = Buffer.from(answer.context, "hex")
  const shared = { with: await importPrivateKey(answers[answer.recipient]), context }
  if (answer.signer === null) return shared
  const signers = await Promise.all(
    [answers.signer, answers.signer_es256].map((jwk) => importSigningKey(jwk)),
  )
  return { ...shared, signedBy: signers.map(({ verifyingKey }) => verifyingKey) }
}

/** Opens one case; gives the names of the values that are not the known ones. */
async function compare(answer: KnownAnswer, answers: KnownAnswers): Promise<readonly string[]> {
  const claims: string[] = []
  const store = {
    claim: (id: string) => {
      claims.push(id)
      return Promise.resolve(true)
    },
  }
  const replay = createReplayGuard({ store, clock: () => answer.iat * 1000 })
  const opened = await open(answer.envelope, { ...(await optionsFor(answer, answers)), replay })
  const values = {
    message: [hexOf(opened.message), messageHex(answer)],
    digest: [hexOf(opened.digest), answer.message_sha256],
    id: [opened.id, answer.id],
    time: [opened.issuedAt.getTime(), answer.iat * 1000],
    signer: [opened.signer ?? null, answer.signer],
    claim: [claims.join(), answer.claim_id],
  }
  return Object.entries(values).flatMap(([name, [actual, expected]]) => (actual === expected ? [] : name))
}

async function check(answer: KnownAnswer, answers: KnownAnswers): Promise<Outcome> {
  const differences = await compare(answer, answers).catch((error: unknown) => [reasonOf(error)])
  return { name: answer.name, passed: differences.length === 0, differences }
}

async function readAnswers(file: URL): Promise<KnownAnswers> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as KnownAnswers
  } catch (error) {
    throw new CommandError("ERR_FILE", `cannot read ${file.pathname} (${reasonOf(error)})`)
  }
}

async function run(file: URL, { json }: JsonOption): Promise<void> {
  const answers = await readAnswers(file)
  const outcomes: Outcome[] = []
  for (const answer of answers.cases) outcomes.push(await check(answer, answers))
  const failed = outcomes.filter(({ passed }) => !passed).length
  const passed = outcomes.length - failed
  const lines = outcomes.map(({ name, differences }) =>
    differences.length === 0 ? `ok      ${name}\n` : `FAILED  ${name}: ${differences.join(", ")}\n`,
  )
  if (json) await writeJson({ passed, failed, cases: outcomes })
  else await writeStdout(`${lines.join("")}${passed} passed, ${failed} failed\n`)
  if (failed > 0 || passed === 0)
    throw new CommandError("ERR_VECTORS", `${failed} of ${outcomes.length} failed`)
}

/** Adds `vectors` to the program; `file` is the known answers that come with the package. */
export function addVectors(program: Command, file: URL): void {
  const command = program
    .command("vectors")
    .summary("check the known answers on this machine")
    .description(
      "Opens the known answers that come with the package, and compares every value that comes out.",
    )
    .action((options: JsonOption) => run(file, options))
  finishCommand(command, ["sealwire vectors"])
}
