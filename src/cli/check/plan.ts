/**
 * The plan: every row and everything that it will send, known before the first request; and carrying it out, no request beyond it.
 *
 * @module
 */

import { CommandError } from "../failure.ts"
import { directoryProbes } from "./directory.ts"
import { headerProbes } from "./headers.ts"
import { limitProbes } from "./limit.ts"
import { messageProbes } from "./messages.ts"
import { corsProbes, csrfProbes } from "./origins.ts"
import { type Finding, type Notes, notTested, type Probe, type Verdict } from "./probe.ts"
import { MAX_REQUESTS, type Target } from "./target.ts"
import { transportProbes } from "./transport.ts"
import { countedWire, NoAnswer, type Wire } from "./wire.ts"

/** What will be done. */
export interface Plan {
  readonly target: Target
  readonly probes: readonly Probe[]
  /** At most so many requests and handshakes. */
  readonly requests: number
}

/** A row of the table. */
export interface Row {
  readonly name: string
  readonly verdict: Verdict
  readonly sent: string
  readonly received: string
  /** What to do; undefined where nothing is to be done. */
  readonly advice: string | undefined
}

/** How a check ended. */
export interface Result {
  readonly rows: readonly Row[]
  /** Requests and handshakes that were made. */
  readonly requests: number
}

/** What a probe will send: nothing, where it is not run. */
export const sendsOf = ({ sends, skip }: Probe): readonly string[] => (skip === undefined ? sends : [])

/**
 * Makes the plan.
 *
 * @throws `CommandError` `ERR_USAGE` for one of too many requests.
 */
export function planOf(target: Target): Plan {
  const probes = [
    ...transportProbes(target),
    ...directoryProbes(target),
    ...messageProbes(target),
    ...headerProbes(target),
    ...corsProbes(target),
    ...csrfProbes(target),
    ...limitProbes(target),
  ]
  const requests = probes.reduce((sum, probe) => sum + sendsOf(probe).length, 0)
  if (requests <= MAX_REQUESTS) return { target, probes, requests }
  const most = MAX_REQUESTS - (requests - (target.limit ?? 0))
  throw new CommandError(
    "ERR_USAGE",
    `this would take ${requests} requests, and ${MAX_REQUESTS} are the most: --limit ${most} or below`,
  )
}

/** Texts that follow each other, once each, with their number. */
export function grouped(
  texts: readonly string[],
): readonly { readonly text: string; readonly times: number }[] {
  const groups: { text: string; times: number }[] = []
  for (const text of texts) {
    const last = groups.at(-1)
    if (last?.text === text) last.times++
    else groups.push({ text, times: 1 })
  }
  return groups
}

const sentBy = ({ sends }: Probe): string =>
  grouped(sends)
    .map(({ text, times }) => (times === 1 ? text : `up to ${times} × ${text}`))
    .join("; ") || "(looks at what other rows got)"

function rowOf(probe: Probe, { verdict, received, advice = probe.advice }: Finding): Row {
  const { name } = probe
  return { name, verdict, sent: sentBy(probe), received, advice: verdict === "pass" ? undefined : advice }
}

const skippedRow = ({ name }: Probe, skip: string): Row => ({
  name,
  verdict: "not tested",
  sent: "nothing",
  received: "nothing",
  advice: skip,
})

/** Carries out a plan, one request after another. */
export async function carryOut({ target, probes, requests }: Plan, wire: Wire): Promise<Result> {
  const notes: Notes = { replies: new Map() }
  const counted = countedWire(wire, Math.min(requests, MAX_REQUESTS))
  const rows: Row[] = []
  for (const probe of probes) {
    if (probe.skip !== undefined) {
      rows.push(skippedRow(probe, probe.skip))
      continue
    }
    // held to its own lines of the list, not only to their sum
    const own = countedWire(counted, probe.sends.length)
    const finding = await probe.run({ target, wire: own, notes }).catch((error: unknown) => {
      if (error instanceof NoAnswer) return notTested(`nothing came back: ${error.message}`)
      throw error
    })
    rows.push(rowOf(probe, finding))
  }
  return { rows, requests: counted.count }
}
