import fc from "fast-check"
import { expect, test } from "vitest"

import { createReplayGuard, type ReplayGuard } from "../../src/replay/guard.ts"
import { memoryStore } from "../../src/replay/memory-store.ts"
import { claimIdOf, NOW_SECONDS } from "../support/forge.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const TIMES = { maxAgeSeconds: 60, maxSkewSeconds: 10, clockErrorSeconds: 5 }

/** What happens next: a message is sent, any earlier one arrives again, time passes, a clock is set. */
const event = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), aheadSeconds: fc.integer({ min: -80, max: 30 }) }),
  fc.record({ kind: fc.constant("arrive" as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant("arrive" as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant("wait" as const), durationMs: fc.integer({ min: 1, max: 90_000 }) }),
  fc.record({ kind: fc.constant("set" as const), errorMs: fc.integer({ min: -1, max: 1 }) }),
  fc.record({ kind: fc.constant("restart" as const) }),
)

/** Runs a history, and counts how often each message was accepted. */
async function play(
  events: readonly (typeof event extends fc.Arbitrary<infer Event> ? Event : never)[],
  largestErrorMs: number,
  restarts: boolean,
): Promise<number[]> {
  let trueMs = NOW_SECONDS * 1000
  let errorMs = 0
  const clock = (): number => trueMs + errorMs
  const start = (): ReplayGuard => createReplayGuard({ store: memoryStore({ clock }), clock, ...TIMES })
  let guard = start()
  trueMs += 100_000
  const sent: number[] = []
  const accepted: number[] = []
  for (const each of events) {
    if (each.kind === "send") accepted[sent.push(Math.floor(trueMs / 1000) + each.aheadSeconds) - 1] = 0
    if (each.kind === "wait") trueMs += each.durationMs
    if (each.kind === "set") errorMs = each.errorMs * largestErrorMs
    if (each.kind === "restart" && restarts) guard = start()
    const which = each.kind === "arrive" ? each.which : sent.length - 1
    const issuedAtSeconds = sent[which]
    if (issuedAtSeconds === undefined) continue
    const claimId = claimIdOf("k", String(which))
    const count = await guard
      .admit({ claimId, issuedAtSeconds, nowMs: clock(), keyMadeAtMs: undefined })
      .then(
        () => 1,
        () => 0,
      )
    accepted[which] = (accepted[which] ?? 0) + count
  }
  return accepted
}

const history = fc.array(event, { minLength: 5, maxLength: 60, size: "max" })

test(
  "no message is accepted twice, however the clock of a process steps",
  { timeout: TIMEOUT_MS },
  async () => {
    let acceptances = 0
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 0, max: 600_000 }), async (events, largestErrorMs) => {
        const accepted = await play(events, largestErrorMs, false)
        expect(Math.max(0, ...accepted)).toBeLessThanOrEqual(1)
        acceptances += accepted.reduce((sum, count) => sum + count, 0)
      }),
      runs(300),
    )
    expect(acceptances).toBeGreaterThan(0)
  },
)

test(
  "no message is accepted twice across restarts, while clocks stay within half their bound",
  { timeout: TIMEOUT_MS },
  async () => {
    let acceptances = 0
    await fc.assert(
      fc.asyncProperty(history, async (events) => {
        const accepted = await play(events, (TIMES.clockErrorSeconds * 1000) / 2, true)
        expect(Math.max(0, ...accepted)).toBeLessThanOrEqual(1)
        acceptances += accepted.reduce((sum, count) => sum + count, 0)
      }),
      runs(300),
    )
    expect(acceptances).toBeGreaterThan(0)
  },
)
