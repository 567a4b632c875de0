/**
 * How many requests a minute: by source before the RSA operation, by whoever is proven to have sent them after it.
 * Counting is a limiter's business: one of rate-limiter-flexible where processes share it, else one in this process.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { HeaderPair } from "../http/message.ts"
import type { Level } from "./routes.ts"
import { type Limiter, type LimiterState, windowLimiter, type WindowOptions } from "./window-limiter.ts"

/** What is counted apart: routes by their level, and what an endpoint serves itself. */
export type LimitedAs = Level | "directory" | "sessions"

/** Requests in each window of 60 seconds. */
export type PerMinute = Readonly<Partial<Record<LimitedAs, number>>>

/** What a limiter is made for: options of rate-limiter-flexible. */
export interface CreateLimiterOptions extends WindowOptions {
  /** Begins the keys of this limiter, so that all of them can share one database. */
  readonly keyPrefix: string
}

/** Options of the rate limits. */
export interface LimitsOptions {
  /**
   * Requests a minute of one source, 1 to 1,000,000. Default: 5 at `high`, 30 at `medium`, 60 at `low`, 60 for the directory, 30 for
   * opening and ending sessions.
   */
  readonly bySource?: PerMinute
  /** Requests a minute of one principal, signer or session, from wherever, 1 to 1,000,000. Default: 5 at `high`, 30 at `medium`, 60 at `low`. */
  readonly byPrincipal?: PerMinute
  /**
   * Makes the limiters, such as the `RateLimiterRedis` of rate-limiter-flexible, which takes its options as they are. Called once for
   * each number. While one fails or takes longer than 500 ms, this process counts by itself. Default: this process.
   */
  readonly createLimiter?: (options: CreateLimiterOptions) => Limiter
}

/** A request that is one too many. */
export interface Exceeded {
  readonly limitedAs: LimitedAs
  /** Requests that a window has. */
  readonly points: number
  readonly retryAfterSeconds: number
}

/** Counts one request; undefined while it is within the limit. */
export type Charge = (limitedAs: LimitedAs, key: string) => Promise<Exceeded | undefined>

/** Who a request is proven to be by, as far as it is. */
export interface Proven {
  readonly level: Level
  readonly principal: { readonly id: string } | undefined
  readonly signer: string | undefined
  readonly session: string | undefined
}

/** Counts one request of whoever is proven to have sent it, if anybody is. */
export type ChargeProven = (proven: Proven) => Promise<Exceeded | undefined>

/** Both kinds of limits. */
export interface Limits {
  readonly source: Charge
  readonly principal: ChargeProven
}

/** Apart by kind: a principal may be called what another one's key is. */
function keyOf({ principal, signer, session }: Proven): string | undefined {
  if (principal) return `principal:${principal.id}`
  if (signer !== undefined) return `signer:${signer}`
  return session === undefined ? undefined : `session:${session}`
}

const OPTIONS = ["bySource", "byPrincipal", "createLimiter"]
const WINDOW_SECONDS = 60
const LIMITER_TIMEOUT_MS = 500
const MOST = 1_000_000

const BY_SOURCE: Readonly<Record<LimitedAs, number>> = {
  high: 5,
  medium: 30,
  low: 60,
  directory: 60,
  sessions: 30,
}
const BY_PRINCIPAL: Readonly<Record<Level, number>> = { high: 5, medium: 30, low: 60 }

function readNumbers(given: PerMinute, name: string, defaults: PerMinute): [LimitedAs, number][] {
  assertOptions(given, name, Object.keys(defaults))
  const merged = Object.entries({ ...defaults, ...given }) as [LimitedAs, number][]
  for (const [limitedAs, points] of merged) assertInteger(points, `${name}.${limitedAs}`, 1, MOST)
  return merged
}

/** What was thrown, where it says that there were too many: it may come from another copy of the package. */
function stateIn(thrown: unknown): LimiterState | undefined {
  const isState =
    typeof thrown === "object" && thrown !== null && "msBeforeNext" in thrown && !(thrown instanceof Error)
  return isState ? (thrown as LimiterState) : undefined
}

/** Waits for a limiter, but not for long. */
async function answerOf(limiter: Limiter, key: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the limiter has not answered within ${LIMITER_TIMEOUT_MS} ms`))
    }, LIMITER_TIMEOUT_MS)
  })
  try {
    await Promise.race([limiter.consume(key), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether there were too many: until when, in milliseconds. */
async function exceededFor(limiter: Limiter, key: string): Promise<number | undefined> {
  try {
    await answerOf(limiter, key)
    return undefined
  } catch (error) {
    const state = stateIn(error)
    if (state) return state.msBeforeNext
    throw error
  }
}

/** Makes the limiter of one number; a shared one has a local one behind it. */
function chargeFor(
  options: CreateLimiterOptions,
  { createLimiter }: LimitsOptions,
  clock: Clock,
  onFailure: (error: unknown) => void,
): (key: string) => Promise<number | undefined> {
  const local = windowLimiter(options, clock)
  const shared = createLimiter?.(options)
  if (!shared) return (key) => exceededFor(local, key)
  assertFunction((shared as Partial<Limiter>).consume, "consume of what options.limits.createLimiter gives")
  return async (key) => {
    try {
      return await exceededFor(shared, key)
    } catch (error) {
      onFailure(error)
      return exceededFor(local, key)
    }
  }
}

/**
 * Reads the option `limits`; undefined for `false`.
 *
 * @throws `TypeError` or `RangeError` naming the option.
 */
export function readLimits(
  options: LimitsOptions | false,
  clock: Clock,
  onFailure: (error: unknown) => void,
): Limits | undefined {
  if (options === false) return undefined
  if (typeof options !== "object") {
    throw new TypeError(`options.limits must be an object, or false for none, not ${describe(options)}`)
  }
  assertOptions(options, "options.limits", OPTIONS)
  const { bySource = {}, byPrincipal = {}, createLimiter } = options
  if (createLimiter !== undefined) assertFunction(createLimiter, "options.limits.createLimiter")

  function chargeBy(kind: "source" | "principal", numbers: [LimitedAs, number][]): Charge {
    const charges = new Map(
      numbers.map(([limitedAs, points]) => {
        const keyPrefix = `sealwire:${kind}:${limitedAs}`
        const made = { keyPrefix, points, duration: WINDOW_SECONDS }
        return [limitedAs, { points, charge: chargeFor(made, options as LimitsOptions, clock, onFailure) }]
      }),
    )
    return async (limitedAs, key) => {
      const { points = 0, charge } = charges.get(limitedAs) ?? {}
      const waitMs = await charge?.(key)
      if (waitMs === undefined) return undefined
      return { limitedAs, points, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) }
    }
  }
  const byKey = chargeBy("principal", readNumbers(byPrincipal, "options.limits.byPrincipal", BY_PRINCIPAL))
  return {
    source: chargeBy("source", readNumbers(bySource, "options.limits.bySource", BY_SOURCE)),
    async principal(proven) {
      const key = keyOf(proven)
      return key === undefined ? undefined : byKey(proven.level, key)
    },
  }
}

/** What a refusal says of its limit: `retry-after`, and draft-ietf-httpapi-ratelimit-headers-10. */
export function rateLimitHeaders({ limitedAs, points, retryAfterSeconds }: Exceeded): HeaderPair[] {
  return [
    ["retry-after", String(retryAfterSeconds)],
    ["ratelimit", `"${limitedAs}";r=0;t=${retryAfterSeconds}`],
    ["ratelimit-policy", `"${limitedAs}";q=${points};w=${WINDOW_SECONDS}`],
  ]
}
