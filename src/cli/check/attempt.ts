/**
 * One sealed request with somebody on the way, judged by what its sender makes of the reply.
 *
 * @module
 */

import {
  busy,
  fail,
  type Finding,
  isRefusal,
  notTested,
  pass,
  type Probe,
  type Probing,
  summaryOf,
} from "./probe.ts"
import { type Deliver, exchange, type Outcome, type Sealing } from "./sealed.ts"

/** What was sent and came back, where both are known; else why not. */
export async function attempt(
  { target, notes: { directory } }: Probing,
  sealing: Sealing,
  deliver: Deliver,
  judge: (outcome: Outcome) => Finding,
): Promise<Finding> {
  if (!directory) return notTested("there is no good directory to seal by")
  const outcome = await exchange(target, directory, sealing, deliver)
  return (outcome.kind === "unsealed" ? busy(outcome.reply) : undefined) ?? judge(outcome)
}

/** An outcome in a few words. */
export function describe(outcome: Outcome): string {
  if (outcome.kind === "answered") return `answered, sealed, ${outcome.status}`
  return outcome.kind === "unsealed"
    ? `unsealed ${summaryOf(outcome.reply)}`
    : `sealed refusal: ${outcome.kind}`
}

/** Wants a refusal that tells nothing, before anything was opened. */
export function wantsRefusal(outcome: Outcome): Finding {
  const isRefused = outcome.kind === "unsealed" && isRefusal(outcome.reply)
  return isRefused ? pass(describe(outcome)) : fail(describe(outcome))
}

/** Wants an exchange to end in one way. */
export const wants =
  (kind: Outcome["kind"]) =>
  (outcome: Outcome): Finding =>
    outcome.kind === kind ? pass(describe(outcome)) : fail(describe(outcome))

/** Rows that cannot be run, for there is no route to probe. */
export const withoutRoute = (probes: readonly Probe[]): readonly Probe[] =>
  probes.map((probe) => ({ ...probe, skip: "give --route PATH: a sealed route that is safe to call" }))
