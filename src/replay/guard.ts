/**
 * The replay guard: freshness, then one atomic claim. docs/protocol.md §4, and steps 5 and 8 of §3.4.
 * It knows an id, a time and a store; what was sealed is none of its business.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { claimWithin, knownSince } from "./claim.ts"
import { noteAdmission } from "./history.ts"
import type { ReplayStore } from "./store.ts"

/** What the guard decided about one authentic message, for a metrics system. Holds nothing secret. */
export interface ReplayEvent {
  /** `"observed"`: would have been refused, had the mode been `"enforce"`. */
  readonly outcome: "accepted" | "refused" | "observed"
  /** Why, unless it was accepted. */
  readonly code: SealwireError["code"] | undefined
  /** The id as the store has it: a hash. */
  readonly claimId: string
  /** Seconds from the message's time to now; negative when the sender's clock is ahead. */
  readonly ageSeconds: number
}

/** Options of {@link createReplayGuard}. */
export interface ReplayGuardOptions {
  /** Where ids are remembered. Every process that opens with a key uses the same store and the same three times below. */
  readonly store: ReplayStore
  /** Oldest message that is fresh, in seconds: 1 to 31,536,000. Default: 120. */
  readonly maxAgeSeconds?: number
  /** How far a sender's clock may be ahead, in seconds: 0 to 3,600. Default: 30. */
  readonly maxSkewSeconds?: number
  /** Bound on the error of any reader's own clock, in seconds: 0 to 3,600. Default: 5. */
  readonly clockErrorSeconds?: number
  /** Longest wait for the store, in milliseconds: 1 to 60,000. Default: 2,000. */
  readonly storeTimeoutMs?: number
  /** `"observe"` refuses nothing and reports what it would have refused. Default: `"enforce"`. */
  readonly mode?: "enforce" | "observe"
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
  /** Called once for each authentic message, after the decision. What it gives or throws is ignored, also later. */
  readonly onEvent?: (event: ReplayEvent) => unknown
}

/** An authentic message, as the guard sees it. */
export interface Admission {
  /** `b64u(H256(label("claim") ‖ lp(kid) ‖ lp(jti)))`. */
  readonly claimId: string
  /** `iat`, in Unix seconds. */
  readonly issuedAtSeconds: number
  /** The reading of {@link ReplayGuard.now} that this message is judged by. */
  readonly nowMs: number
  /** When this process made the key that opened it; undefined for a key from outside. */
  readonly keyMadeAtMs: number | undefined
}

/** Decides whether an authentic message counts. Made by {@link createReplayGuard}; `open` calls it. */
export interface ReplayGuard {
  /** One reading of the clock, in Unix milliseconds, for one message. */
  now(): number
  /** Step 5: false when the message's time is so far away that no clock error explains it. */
  isNear(issuedAtSeconds: number, nowMs: number): boolean
  /**
   * Step 8: refuses a message that is not fresh, then claims it.
   *
   * @throws `SealwireError` `ERR_STALE`, `ERR_REPLAYED`, `ERR_QUARANTINED`, `ERR_STORE` or `ERR_STORE_FULL`.
   */
  admit(message: Admission): Promise<void>
}

interface Policy {
  readonly store: ReplayStore
  readonly maxAgeSeconds: number
  readonly maxSkewSeconds: number
  readonly clockErrorSeconds: number
  readonly storeTimeoutMs: number
}

/** §3.4 step 5. */
const DAY_SECONDS = 86_400

const OPTIONS = [
  "store",
  "maxAgeSeconds",
  "maxSkewSeconds",
  "clockErrorSeconds",
  "storeTimeoutMs",
  "mode",
  "clock",
  "onEvent",
]

/** The three times under which a store is used: a guard with others would accept what the first one's store has dropped. */
const windows = new WeakMap<ReplayStore, string>()

function assertSameWindow({ store, maxAgeSeconds, maxSkewSeconds, clockErrorSeconds }: Policy): void {
  const window = `maxAgeSeconds ${maxAgeSeconds}, maxSkewSeconds ${maxSkewSeconds}, clockErrorSeconds ${clockErrorSeconds}`
  const first = windows.get(store) ?? window
  if (first !== window)
    throw new RangeError(`this store is in use with ${first}: a guard cannot use it with ${window}`)
  windows.set(store, first)
}

/** Whole seconds, as `iat` is: a message stays of one age for a second. */
const ageOf = (issuedAtSeconds: number, nowMs: number): number => Math.floor(nowMs / 1000) - issuedAtSeconds

function assertFresh({ maxAgeSeconds, maxSkewSeconds }: Policy, ageSeconds: number): void {
  if (ageSeconds >= -maxSkewSeconds && ageSeconds <= maxAgeSeconds) return
  const reason =
    ageSeconds > 0
      ? `${ageSeconds} s old, above ${maxAgeSeconds}`
      : `${-ageSeconds} s ahead, above ${maxSkewSeconds}`
  throw new SealwireError("ERR_STALE", `the message is ${reason}`)
}

/** §4, restart rule: what was sent before the store knows anything may have been accepted already. */
function assertRemembered(policy: Policy, { issuedAtSeconds, nowMs, keyMadeAtMs }: Admission): void {
  const knownSinceMs = knownSince(policy.store)
  if (knownSinceMs === undefined || (keyMadeAtMs !== undefined && keyMadeAtMs > knownSinceMs)) return
  const knownFrom = knownSinceMs / 1000 + policy.maxSkewSeconds + policy.clockErrorSeconds
  if (issuedAtSeconds > knownFrom) return
  const retryAfterSeconds = Math.max(1, Math.floor(knownFrom - nowMs / 1000) + 1)
  throw new SealwireError(
    "ERR_QUARANTINED",
    `the replay store has forgotten what was accepted before it started, and this message may be from then: seal it again in ${retryAfterSeconds} s. ` +
      "Stores that outlive the process (SQLite, Postgres, Redis) do not have this wait, nor do keys that this process made since",
    { retryAfterSeconds },
  )
}

async function decide(policy: Policy, message: Admission, ageSeconds: number): Promise<void> {
  assertFresh(policy, ageSeconds)
  // before the claim, so that a message which only came too early is not used up
  assertRemembered(policy, message)
  const { maxAgeSeconds, clockErrorSeconds, store, storeTimeoutMs } = policy
  const expiresAtSeconds = message.issuedAtSeconds + 1 + maxAgeSeconds + 2 * clockErrorSeconds
  const isNew = await claimWithin(store, message.claimId, expiresAtSeconds * 1000, storeTimeoutMs)
  // and after it: a shared store learns of its own loss by being asked
  assertRemembered(policy, message)
  if (!isNew) throw new SealwireError("ERR_REPLAYED", "the message was opened before")
}

function readPolicy(options: ReplayGuardOptions): Policy {
  assertOptions(options, "options", OPTIONS)
  const {
    store,
    maxAgeSeconds = 120,
    maxSkewSeconds = 30,
    clockErrorSeconds = 5,
    storeTimeoutMs = 2000,
  } = options
  if (typeof (store as Partial<ReplayStore> | undefined)?.claim !== "function") {
    throw new TypeError(
      `options.store must have a claim function, such as memoryStore(), not ${describe(store)}`,
    )
  }
  assertInteger(maxAgeSeconds, "maxAgeSeconds", 1, 31_536_000)
  assertInteger(maxSkewSeconds, "maxSkewSeconds", 0, 3600)
  assertInteger(clockErrorSeconds, "clockErrorSeconds", 0, 3600)
  assertInteger(storeTimeoutMs, "storeTimeoutMs", 1, 60_000)
  return { store, maxAgeSeconds, maxSkewSeconds, clockErrorSeconds, storeTimeoutMs }
}

/**
 * Creates a replay guard. A message counts at most once among all readers that share its store, and never after its time.
 *
 * > [!WARNING]
 * > A crash after the claim loses the message: at most once, not exactly once. Senders seal again, with the same
 * > idempotency key inside.
 *
 * @throws `RangeError` for a number out of its range, or a store that is in use with other times; `TypeError` otherwise.
 * @example
 * ```ts
 * import { createReplayGuard, memoryStore } from "sealwire"
 *
 * const replay = createReplayGuard({ store: memoryStore() })
 * ```
 */
export function createReplayGuard(options: ReplayGuardOptions): ReplayGuard {
  const policy = readPolicy(options)
  const { mode = "enforce", clock = systemClock, onEvent } = options
  assertFunction(clock, "options.clock")
  if (onEvent !== undefined) assertFunction(onEvent, "options.onEvent")
  if (mode !== "enforce" && (mode as string) !== "observe") {
    throw new RangeError(`mode must be "enforce" or "observe", not ${String(mode)}`)
  }
  assertSameWindow(policy)
  const nearSeconds = Math.max(DAY_SECONDS, policy.maxAgeSeconds)

  async function report(
    hear: NonNullable<ReplayGuardOptions["onEvent"]>,
    { claimId }: Admission,
    ageSeconds: number,
    refusal: SealwireError | undefined,
  ): Promise<void> {
    const refused = mode === "observe" ? "observed" : "refused"
    await hear({ outcome: refusal ? refused : "accepted", code: refusal?.code, claimId, ageSeconds })
  }

  return {
    now: clock,
    isNear: (issuedAtSeconds, nowMs) =>
      mode === "observe" || Math.abs(ageOf(issuedAtSeconds, nowMs)) <= nearSeconds,
    async admit(message) {
      noteAdmission()
      const ageSeconds = ageOf(message.issuedAtSeconds, message.nowMs)
      let refusal: SealwireError | undefined
      try {
        await decide(policy, message, ageSeconds)
      } catch (error) {
        refusal = error as SealwireError
      }
      // a metrics system that fails, at once or later, must not decide about messages, nor may they wait for it
      if (onEvent) report(onEvent, message, ageSeconds, refusal).catch(() => undefined)
      if (refusal && mode === "enforce") throw refusal
    },
  }
}

/**
 * The loud way out: accepts every authentic message, however old and however often it came. For stored messages whose
 * reader knows what has been read, and for examples; never for requests.
 */
export const dangerouslyAcceptReplays: ReplayGuard = {
  now: systemClock,
  isNear: () => true,
  admit() {
    noteAdmission()
    return Promise.resolve()
  },
}
