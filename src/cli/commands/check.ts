/**
 * `sealwire check`: tests a deployment from outside, and says what was sent, what came back, and what to do.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from "commander"

import { carryOut, type Plan, planOf, type Result, sendsOf } from "../check/plan.ts"
import { countRows, listOf, tableOf } from "../check/table.ts"
import { MAX_REQUESTS, readTarget, type TargetOptions } from "../check/target.ts"
import { openWire } from "../check/wire.ts"
import { CommandError } from "../failure.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readInput } from "../input.ts"
import { writeJson, writeStdout } from "../output.ts"

interface CheckOptions extends TargetOptions, JsonOption {
  readonly ca?: string
}

const MAX_CA_BYTES = 1024 * 1024

function documentOf({ target, probes, requests }: Plan, result: Result): object {
  return {
    url: target.url.origin,
    route: target.route ? `${target.route.method} ${target.route.path}` : null,
    ...countRows(result.rows),
    requests: { planned: requests, made: result.requests },
    plan: probes.flatMap((probe) => sendsOf(probe).map((sends) => ({ check: probe.name, sends }))),
    rows: result.rows.map(({ advice, ...row }) => ({ ...row, advice: advice ?? null })),
  }
}

/** Red, or not wholly green. */
function assertGreen({ rows }: Result): void {
  const named = (verdict: string): string[] =>
    rows.filter((row) => row.verdict === verdict).map(({ name }) => name)
  const [failed, missing] = [named("fail"), named("not tested")]
  if (failed.length > 0) throw new CommandError("ERR_CHECK", `failed: ${failed.join(", ")}`)
  if (missing.length === 0) return
  throw new CommandError("ERR_CHECK_INCOMPLETE", `nothing failed; not tested: ${missing.join(", ")}`)
}

async function run(url: string, { json, ca: caFile, ...options }: CheckOptions): Promise<void> {
  // before any file is read: a host that may not be asked is the first thing to say
  const asked = readTarget(url, options)
  const ca = caFile === undefined ? undefined : (await readInput(caFile, MAX_CA_BYTES)).toString()
  const plan = planOf({ ...asked, ca })
  process.stderr.write(listOf(plan))
  const result = await carryOut(plan, openWire(plan.target))
  if (json) await writeJson(documentOf(plan, result))
  else await writeStdout(tableOf(result.rows))
  assertGreen(result)
}

function parseNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError("It must be a whole number above 0.")
}

/** Adds `check` to the program. */
export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .summary("test a deployment from outside")
    .description(
      `Tests a deployment from outside: TLS, key directory, sealed messages, headers, CORS, CSRF, limit. Lists what it will send first, \
at most ${MAX_REQUESTS} requests and handshakes, and sends nothing secret. Green does not prove that a deployment is safe: it says \
that these attempts were refused, from here, today.`,
    )
    .argument("<url>", "its origin, such as https://api.example.com")
    .option(
      "--route <path>",
      'a sealed route that is safe to call, such as /account or "POST /echo"; GET by default',
    )
    .option("--pin <thumbprint>", "the identity key that clients pin")
    .option("--seq <n>", "the highest seq of the key directory that you have published", parseNumber)
    .option(
      "--limit <n>",
      "the route's requests a minute by source: sends as many, and one more",
      parseNumber,
    )
    .option("--ca <file>", "certificates to trust instead of the platform's, in PEM")
    .option(
      "--i-operate <host>",
      "for a host that is not this machine: the URL's host in full, which you operate",
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 all green, 1 a row is red, 2 the command line makes no sense, 3 none is red, and some were not tested.",
    )
    .action(run)
  finishCommand(command, [
    "sealwire check http://127.0.0.1:3000 --route /account",
    "sealwire check https://api.example.com --i-operate api.example.com --route /account --pin FVlZ… --limit 30",
  ])
}
