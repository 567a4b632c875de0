/**
 * What follows an attempt that was no success: another, or the end. docs/protocol.md §8.
 * An attacker on the way can cause retries; he must not be able to cause a second effect.
 *
 * @module
 */

import type { Timing } from "./timing.ts"

/**
 * Why a request may be sent again.
 *
 * - `no-keys`: the key directory, or a session, could not be had. Nothing was sent.
 * - `stale`: the server has said its time (sealed). Nothing ran.
 * - `rate-limited`: the server has said when to come again (sealed). Nothing ran.
 * - `unavailable`: an application's 429 or 503 with `Retry-After` (sealed).
 * - `network`, `timeout`: no answer.
 * - `unsealed`: what came is not a sealed answer, and its status says that another try may help.
 * - `new-key`: the uniform refusal, and the server has another key now.
 * - `no-session`: the server does not know the session (unsealed). The next attempt is in another one.
 * - `replayed`: a copy of this attempt came first (sealed). What became of it is not known.
 */
export type RetryReason =
  | "no-keys"
  | "stale"
  | "rate-limited"
  | "unavailable"
  | "network"
  | "timeout"
  | "unsealed"
  | "new-key"
  | "no-session"
  | "replayed"

/** Nothing ran for certain, so that any method may be sent again. */
const NOTHING_RAN: readonly RetryReason[] = ["no-keys", "stale", "rate-limited"]

/** Without a wait: the attempt was refused for what the next one does differently. */
const AT_ONCE: readonly RetryReason[] = ["stale", "new-key", "no-session"]

/** The one retry with the server's time, or in another session, is no failure, and counts as none. */
const CORRECTED_ONCE: readonly RetryReason[] = ["stale", "no-session"]

/** How often and how long. */
export interface RetryPolicy {
  /** Attempts, the first included. */
  readonly attempts: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  /** For all attempts and the waits between them. */
  readonly budgetMs: number
}

/** How an attempt ended. */
export interface Outcome {
  /** Why another attempt may follow; undefined where none may. */
  readonly reason?: RetryReason | undefined
  /** What the server said in `Retry-After`. */
  readonly retryAfterMs?: number | undefined
}

/** One request, as far as retries go. */
export interface Repetition<End extends Outcome> {
  readonly policy: RetryPolicy
  readonly timing: Timing
  /** Whether a second effect is ruled out: by the method, or by a server that enforces idempotency keys. */
  readonly repeatable: boolean
  readonly signal: AbortSignal | undefined
  /** @param remainingMs - What is left of the budget. */
  attempt(number: number, remainingMs: number): Promise<End>
  onRetry(reason: RetryReason, attempt: number, delayMs: number): void
}

/** Exponential backoff with full jitter, on top of what the server asked for: a crowd told the same second must not meet in it. */
function delayMsOf(
  { reason, retryAfterMs = 0 }: Outcome,
  failures: number,
  run: Repetition<Outcome>,
): number {
  if (reason === undefined || AT_ONCE.includes(reason)) return 0
  const { baseDelayMs, maxDelayMs } = run.policy
  const ceilingMs = Math.min(maxDelayMs, baseDelayMs * 2 ** (failures - 1))
  return retryAfterMs + run.timing.random() * ceilingMs
}

/** Attempts until one is an end, or no other may or can follow in time. */
export async function repeat<End extends Outcome>(run: Repetition<End>): Promise<End> {
  const { policy, timing, repeatable, signal } = run
  const startMs = timing.now()
  const corrected = new Set<RetryReason>()
  for (let number = 1; ; number++) {
    const outcome = await run.attempt(number, policy.budgetMs - (timing.now() - startMs))
    const { reason } = outcome
    if (reason === undefined || !(repeatable || NOTHING_RAN.includes(reason))) return outcome
    if (CORRECTED_ONCE.includes(reason)) {
      if (corrected.has(reason)) return outcome
      corrected.add(reason)
    } else if (number - corrected.size >= policy.attempts) return outcome
    const delayMs = delayMsOf(outcome, number - corrected.size, run)
    if (timing.now() - startMs + delayMs >= policy.budgetMs) return outcome
    run.onRetry(reason, number, delayMs)
    if (delayMs > 0) await timing.sleep(delayMs, signal)
  }
}

/** Statuses of unsealed answers after which the same request can still succeed; a redirect is never followed or repeated. */
export function mayPass(outerStatus: number): boolean {
  return outerStatus < 300 || outerStatus >= 500 || [408, 425, 429].includes(outerStatus)
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds; undefined where it says nothing. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  const durationMs = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isNaN(durationMs) ? undefined : Math.max(0, durationMs)
}
