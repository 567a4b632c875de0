/**
 * How many requests a minute: by source before the RSA operation, by whoever is proven to have sent them after it.
 * Counting is a limiter's business: one of rate-limiter-flexible where processes share it, else one in this process.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import type { HeaderPair } from "../http/message.ts"
import type { Level } from "./routes.ts"
import { type Count, windowLimiter, type WindowOptions } from "./window-limiter.ts"

/** What a shared limiter says of one key. */
export interface LimiterState {
  /** How many more requests fit into the window. */
  readonly remainingPoints: number
  /** Milliseconds until the window ends. */
  readonly msBeforeNext: number
}

/** What is used of a limiter of rate-limiter-flexible. */
export interface Limiter {
  /**
   * Counts one request of `key`. Rejects with the {@link LimiterState} when it is one too many, and with an `Error` when the answer
   * is not known.
   */
  consume(key: string): Promise<LimiterState>
}

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

/** A request that was counted. */
export interface Counted extends Omit<Count, "endsInMs"> {
  readonly limitedAs: LimitedAs
  /** Requests that a window has. */
  readonly points: number
  /** Until the window ends. */
  readonly endsInSeconds: number
}

/** Counts one request; undefined where the limiter does not say how many there were. */
export type Charge = (limitedAs: LimitedAs, key: string) => Promise<Counted | undefined>

/** Who a request is proven to be by, as far as it is. */
export interface Proven {
  readonly level: Level
  readonly principal: { readonly id: string } | undefined
  readonly signer: string | undefined
  readonly session: string | undefined
}

/** Counts one request of whoever is proven to have sent it, if anybody is. */
export type ChargeProven = (proven: Proven) => Promise<Counted | undefined>

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

/** A limiter's state: it may come from another copy of the package. */
function stateIn(given: unknown): LimiterState | undefined {
  const isState =
    typeof given === "object" && given !== null && "msBeforeNext" in given && !(given instanceof Error)
  return isState ? (given as LimiterState) : undefined
}

/** Waits for a limiter, but not for long. */
async function answerOf(limiter: Limiter, key: string): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the limiter has not answered within ${LIMITER_TIMEOUT_MS} ms`))
    }, LIMITER_TIMEOUT_MS)
  })
  try {
    return await Promise.race([limiter.consume(key), late])
  } finally {
    clearTimeout(timer)
  }
}

function countOf({ remainingPoints, msBeforeNext }: LimiterState, isExceeded: boolean): Count {
  return { remaining: isExceeded ? 0 : Math.max(0, remainingPoints), endsInMs: msBeforeNext, isExceeded }
}

async function countBy(limiter: Limiter, key: string): Promise<Count | undefined> {
  try {
    const state = stateIn(await answerOf(limiter, key))
    return state && countOf(state, false)
  } catch (error) {
    const state = stateIn(error)
    if (state) return countOf(state, true)
    throw error
  }
}

/** Makes the limiter of one number; a shared one has a local one behind it. */
function chargeFor(
  options: CreateLimiterOptions,
  { createLimiter }: LimitsOptions,
  clock: Clock,
  onFailure: (error: unknown) => void,
): (key: string) => MaybePromise<Count | undefined> {
  const countHere = windowLimiter(options, clock)
  const shared = createLimiter?.(options)
  if (!shared) return countHere
  assertFunction((shared as Partial<Limiter>).consume, "consume of what options.limits.createLimiter gives")
  return async (key) => {
    try {
      return await countBy(shared, key)
    } catch (error) {
      onFailure(error)
      return countHere(key)
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
      const count = await charge?.(key)
      if (!count) return undefined
      const { remaining, endsInMs, isExceeded } = count
      const endsInSeconds = Math.max(1, Math.ceil(endsInMs / 1000))
      return { limitedAs, points, remaining, endsInSeconds, isExceeded }
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

/** What an answer says of its limit (draft-ietf-httpapi-ratelimit-headers-10), and a refusal of when to come again. */
export function rateLimitHeaders(counted: Counted): HeaderPair[] {
  const { limitedAs, points, remaining, endsInSeconds, isExceeded } = counted
  const headers: HeaderPair[] = [
    ["ratelimit", `"${limitedAs}";r=${remaining};t=${endsInSeconds}`],
    ["ratelimit-policy", `"${limitedAs}";q=${points};w=${WINDOW_SECONDS}`],
  ]
  return isExceeded ? [["retry-after", String(endsInSeconds)], ...headers] : headers
}
