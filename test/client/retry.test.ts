import fc from "fast-check"
import { describe, expect, test } from "vitest"

import {
  mayPass,
  type Outcome,
  parseRetryAfter,
  repeat,
  type RetryPolicy,
  type RetryReason,
} from "../../src/client/retry.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const POLICY: RetryPolicy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 1000, budgetMs: 10_000 }

interface Played {
  readonly attempts: { readonly atMs: number; readonly remainingMs: number }[]
  readonly waitsMs: number[]
  readonly retried: RetryReason[]
  readonly end: Outcome
}

/** Lives through attempts that end as told; the last outcome stays. Each attempt takes its time, and no longer than it may. */
async function play(
  outcomes: readonly (Outcome & { tookMs?: number })[],
  {
    repeatable = true,
    policy = POLICY,
    random = 0.5,
  }: { repeatable?: boolean; policy?: RetryPolicy; random?: number } = {},
): Promise<Played> {
  let nowMs = 5000
  const attempts: Played["attempts"] = []
  const waitsMs: number[] = []
  const retried: RetryReason[] = []
  const end = await repeat<Outcome>({
    policy,
    repeatable,
    signal: undefined,
    timing: {
      now: () => nowMs,
      random: () => random,
      sleep: async (durationMs) => {
        waitsMs.push(durationMs)
        nowMs += durationMs
      },
    },
    attempt: async (number, remainingMs) => {
      expect(number).toBe(attempts.length + 1)
      attempts.push({ atMs: nowMs - 5000, remainingMs })
      const outcome = outcomes[Math.min(number, outcomes.length) - 1] ?? {}
      nowMs += Math.min(outcome.tookMs ?? 0, remainingMs)
      return outcome
    },
    onRetry: (reason) => retried.push(reason),
  })
  return { attempts, waitsMs, retried, end }
}

/** Reason, attempts of a request that may be repeated, attempts of one that may not, waits of the former. */
const TABLE: readonly [RetryReason, number, number, number[]][] = [
  ["no-keys", 3, 3, [50, 100]],
  ["stale", 2, 2, []],
  ["rate-limited", 3, 3, [50, 100]],
  ["unavailable", 3, 1, [50, 100]],
  ["network", 3, 1, [50, 100]],
  ["timeout", 3, 1, [50, 100]],
  ["unsealed", 3, 1, [50, 100]],
  ["new-key", 3, 1, []],
  ["replayed", 3, 1, [50, 100]],
]

describe.each(TABLE)("after %s", (reason, repeated, once, waitsMs) => {
  test(`a request that may be repeated is sent ${repeated} times`, async () => {
    const played = await play([{ reason }])
    expect(played.attempts).toHaveLength(repeated)
    expect(played.waitsMs).toEqual(waitsMs)
    expect(played.end).toEqual({ reason })
  })

  test(`one that may not is sent ${once} times`, async () => {
    expect((await play([{ reason }], { repeatable: false })).attempts).toHaveLength(once)
  })
})

test("an outcome without a reason ends it", async () => {
  expect((await play([{}])).attempts).toHaveLength(1)
})

test("the retry with the server's time is not counted, and comes once", async () => {
  const one = { ...POLICY, attempts: 1 }
  expect((await play([{ reason: "stale" }, {}], { policy: one })).end).toEqual({})
  expect((await play([{ reason: "stale" }, { reason: "network" }], { policy: one })).attempts).toHaveLength(2)
  expect((await play([{ reason: "stale" }, { reason: "network" }])).attempts).toHaveLength(4)
  const twice: Outcome[] = [{ reason: "stale" }, { reason: "network" }, { reason: "stale" }]
  expect((await play(twice)).attempts).toHaveLength(3)
})

test("a wait doubles up to its limit, and is drawn from all that is below", async () => {
  const policy = { ...POLICY, attempts: 7 }
  const widest = await play([{ reason: "network" }], { policy, random: 0.999999999 })
  expect(widest.waitsMs.map(Math.round)).toEqual([100, 200, 400, 800, 1000, 1000])
  expect((await play([{ reason: "network" }], { policy, random: 0 })).waitsMs).toEqual([])
})

test("Retry-After is a lower bound of the wait", async () => {
  const played = await play([{ reason: "rate-limited", retryAfterMs: 3000 }, {}])
  expect(played.waitsMs).toEqual([3050])
})

test("it gives up at once where the wait would go beyond the budget", async () => {
  const played = await play([{ reason: "rate-limited", retryAfterMs: 9950 }])
  expect(played.waitsMs).toEqual([])
  expect(played.attempts).toHaveLength(1)
  expect((await play([{ reason: "rate-limited", retryAfterMs: 9949 }, {}])).attempts).toHaveLength(2)
})

const reasons = fc.constantFrom(...TABLE.map(([reason]) => reason))
const outcome = fc.record({
  reason: fc.option(reasons, { nil: undefined, freq: 8 }),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
  tookMs: fc.integer({ min: 0, max: 5000 }),
})
const policies = fc.record({
  attempts: fc.integer({ min: 1, max: 6 }),
  baseDelayMs: fc.integer({ min: 0, max: 3000 }),
  maxDelayMs: fc.integer({ min: 0, max: 3000 }),
  budgetMs: fc.integer({ min: 1, max: 30_000 }),
})
const UNKNOWN_OUTCOME: (RetryReason | undefined)[] = TABLE.filter(([, , once]) => once === 1).map(
  ([reason]) => reason,
)

test(
  "whatever happens, attempts, waits and time stay within the policy",
  { timeout: TIMEOUT_MS },
  async () => {
    let retries = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(outcome, { minLength: 1, maxLength: 9 }),
        policies,
        fc.boolean(),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (outcomes, policy, repeatable, random) => {
          const { attempts, waitsMs, retried } = await play(outcomes, { policy, repeatable, random })
          const corrections = retried.filter((reason) => reason === "stale").length
          expect(corrections).toBeLessThanOrEqual(1)
          expect(attempts.length - corrections).toBeLessThanOrEqual(policy.attempts)
          // an unsafe request is never sent again after an outcome that is not known
          if (!repeatable) for (const reason of retried) expect(UNKNOWN_OUTCOME).not.toContain(reason)
          for (const { atMs, remainingMs } of attempts) {
            expect(remainingMs).toBeGreaterThan(0)
            expect(atMs + remainingMs).toBeCloseTo(policy.budgetMs, 6)
          }
          const asked = Math.max(0, ...outcomes.map(({ retryAfterMs }) => retryAfterMs ?? 0))
          for (const wait of waitsMs) expect(wait).toBeLessThanOrEqual(asked + policy.maxDelayMs)
          retries += retried.length
        },
      ),
      runs(500),
    )
    expect(retries).toBeGreaterThan(100)
  },
)

test.each<[string | null, number | undefined]>([
  [null, undefined],
  ["0", 0],
  ["120", 120_000],
  ["Thu, 01 Jan 1970 00:00:31 GMT", 30_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["soon", undefined],
  ["", undefined],
  ["-1x", undefined],
])("reads Retry-After %j, a second after the epoch, as %j ms", (value, durationMs) => {
  expect(parseRetryAfter(value, 1000)).toBe(durationMs)
})

test("takes only those unsealed answers for passing that may be", () => {
  const statuses = [
    200, 204, 301, 304, 307, 400, 401, 403, 404, 405, 408, 413, 415, 425, 429, 500, 502, 503, 504,
  ]
  expect(statuses.filter(mayPass)).toEqual([200, 204, 408, 425, 429, 500, 502, 503, 504])
})
