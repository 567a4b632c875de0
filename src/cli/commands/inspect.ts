/**
 * `sealwire inspect`: what an envelope says about itself, in words. Never needs a key.
 *
 * @module
 */

import type { Command } from "commander"

import { type EnvelopeSummary, summarize } from "../envelope-summary.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readEnvelope } from "../input.ts"
import { writeJson, writeStdout } from "../output.ts"

const UNITS = [
  { name: "day", seconds: 86_400 },
  { name: "hour", seconds: 3600 },
  { name: "minute", seconds: 60 },
  { name: "second", seconds: 1 },
] as const

/** `"3 minutes"`: the largest unit of which there are at least two. */
function inWords(seconds: number): string {
  const unit = UNITS.find((candidate) => seconds >= 2 * candidate.seconds) ?? UNITS[3]
  const count = Math.floor(seconds / unit.seconds)
  return `${count} ${unit.name}${count === 1 ? "" : "s"}`
}

function ageInWords(ageSeconds: number): string {
  return ageSeconds < 0 ? `${inWords(-ageSeconds)} in the future` : `${inWords(ageSeconds)} ago`
}

function nameOfKey({ type, modulusBits }: EnvelopeSummary): string {
  if (modulusBits !== undefined) return `recipient's key, RSA-${modulusBits}, by thumbprint`
  return type === "sw1-reply" ? "as its request says" : "session"
}

function describe(summary: EnvelopeSummary, ageSeconds: number): string {
  const { type, meaning, kid, id, issuedAtSeconds, contextHash, messageAndSignatureBytes: bytes } = summary
  const time = new Date(issuedAtSeconds * 1000).toISOString()
  const rows = [
    ["type", `${type}, ${meaning}`],
    ["sealed", `${time.replace(".000Z", "Z")}, ${ageInWords(ageSeconds)}, by the sender's clock`],
    ["to", `${kid} (${nameOfKey(summary)})`],
    ["id", id],
    ["context", summary.contextIsEmpty ? "empty" : `${contextHash} (its hash)`],
    ["algorithms", `${summary.alg}, AES-256-GCM`],
    ["envelope", `${summary.envelopeCharacters} characters`],
    ["message", `${bytes} bytes, with the signature where there is one`],
  ]
  const lines = rows.map(([name = "", value = ""]) => `${name.padEnd(10)}  ${value}\n`)
  return `${lines.join("")}\nAnybody could have written this: only opening it proves anything.\n`
}

async function run(input: string | undefined, { json }: JsonOption): Promise<void> {
  const summary = summarize(await readEnvelope(input))
  const ageSeconds = Math.floor(Date.now() / 1000) - summary.issuedAtSeconds
  if (json) await writeJson({ ...summary, modulusBits: summary.modulusBits ?? null, ageSeconds })
  else await writeStdout(describe(summary, ageSeconds))
}

/** Adds `inspect` to the program. */
export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .summary("say what an envelope is, without a key")
    .description(
      "Says what an envelope says about itself: its type, time, recipient and sizes. Opens nothing, proves nothing.",
    )
    .argument("[file]", "the envelope; standard input for -, or for nothing")
    .action(run)
  finishCommand(command, ["sealwire inspect letter.sealed", "sealwire inspect --json < letter.sealed"])
}
