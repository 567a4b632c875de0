/**
 * What stands before a message is looked at, and after its answer is made: where the request comes from, HTTPS, other sites, limits
 * by source, headers, events. docs/guides/secure-server.md. None of it reads a body.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { assertFunction, assertInteger } from "../base/options.ts"
import type { OuterResponse } from "../http/outer-response.ts"
import { eventSink, type SinkFor } from "./event-sink.ts"
import { type Happening, type OnEndpointEvent, type OnHappening, report } from "./events.ts"
import {
  type ChargeProven,
  type Counted,
  type LimitedAs,
  type Limits,
  rateLimitHeaders,
  readLimits,
} from "./limits.ts"
import type { LimitsOptions } from "./limits.ts"
import { createOrigins, type OriginsOptions } from "./origins.ts"
import type { OuterRequest } from "./outer-request.ts"
import { readPlainHttp } from "./plain-http.ts"
import { Refusal, type RefusalReason } from "./refusal-error.ts"
import type { RouteOf } from "./routes.ts"
import { readSecurityHeaders, type SecurityHeaders } from "./security-headers.ts"
import { type Peer, type Source, sourceReader } from "./source.ts"

/** Options of an endpoint's edge. */
export interface EdgeOptions extends OriginsOptions {
  /**
   * Proxies whose `x-forwarded-for` and `x-forwarded-proto` are believed: addresses and networks, such as `"10.0.0.0/8"`, and `"unix"`
   * for whoever connects by a Unix socket. Default: none.
   */
  readonly trustedProxies?: readonly string[]
  /**
   * `http:` origins, of this endpoint or of pages, that are meant to be so. Default: none but loopback. Whoever is on the way can
   * replace such a page, and then has all that is typed into it: sealing does not help.
   */
  readonly dangerouslyAllowHttp?: readonly string[]
  /** Requests a minute, by source and by whoever is proven to have sent them; `false` for no limits. Default: 5, 30 and 60 by level. */
  readonly limits?: LimitsOptions | false
  /** Security headers of what the endpoint answers: other values, more headers, or `false` for none of that name. Default: strict ones. */
  readonly securityHeaders?: SecurityHeaders
  /** Told what happened, and nothing secret. What it gives or throws is ignored. */
  readonly onEvent?: OnEndpointEvent
  /** Most events of one type in a second, 1 to 100,000; the others are counted by a `suppressed`. Default: 100. */
  readonly maxEventsPerSecond?: number
}

/** Names of {@link EdgeOptions}. */
export const EDGE_OPTIONS: readonly string[] = [
  "origins",
  "allowCredentials",
  "trustedProxies",
  "dangerouslyAllowHttp",
  "limits",
  "securityHeaders",
  "onEvent",
  "maxEventsPerSecond",
]

/** A request that has come, whatever becomes of it. */
export interface Visit {
  readonly source: Source
  readonly onEvent: OnHappening | undefined
}

/** What an endpoint is surrounded by. */
export interface Edge {
  readonly chargePrincipal: ChargeProven | undefined
  /** For what is nobody's doing. */
  readonly onEvent: OnHappening | undefined
  arrive(request: OuterRequest, peer: Peer | undefined): Visit
  /**
   * Lets a request through, or answers it itself; counts it, unless nothing is known of where it comes from.
   *
   * @param limitedAs - Undefined for a route that nothing names, which costs nothing.
   * @throws `Refusal` 403 or 429.
   */
  admit(request: OuterRequest, visit: Visit, limitedAs: LimitedAs | undefined): Promise<Response | undefined>
  /** Completes the headers of an answer of this library's. */
  leave<Answer extends OuterResponse | Response>(
    response: Answer,
    request: OuterRequest,
    visit: Visit,
  ): Answer
  /** The same for a handler's own one, that goes out as it is. */
  leaveOpen(response: Response, request: OuterRequest): Response
}

/** What the edge knows of the endpoint. */
export interface EdgeScope {
  readonly origin: string
  readonly routeOf: RouteOf
  /** Outer request headers that handlers see, so that pages may send them. */
  readonly requestHeaders: readonly string[]
  readonly clock: Clock
}

const WARNINGS: Readonly<Record<Extract<Happening, { type: "warning" }>["warning"], string>> = {
  "plain-http": "options.dangerouslyAllowHttp is set, so whoever is on the way can replace what is sent.",
  "source-unknown":
    "requests come without the address of their peer, so nothing is limited by source: give it as the third argument of handle.",
}

type Warn = (warning: keyof typeof WARNINGS) => void

/** Warns once, by both ways: a listener may not be there, or not be read. */
function warner(onEvent: OnHappening | undefined): Warn {
  const given = new Set<string>()
  return (warning) => {
    if (given.has(warning)) return
    given.add(warning)
    console.warn(`sealwire: ${WARNINGS[warning]}`)
    void report(onEvent, { type: "warning", warning })
  }
}

/** The sink for all sources. */
function readEvents(
  { onEvent, maxEventsPerSecond = 100 }: EdgeOptions,
  clock: Clock,
): SinkFor | (() => undefined) {
  assertInteger(maxEventsPerSecond, "options.maxEventsPerSecond", 1, 100_000)
  if (onEvent === undefined) return () => undefined
  assertFunction(onEvent, "options.onEvent")
  return eventSink(onEvent, clock, maxEventsPerSecond)
}

/** Refuses a request that is one too many. */
export function tooMany(counted: Counted, reason: RefusalReason): Refusal {
  return new Refusal(429, counted.endsInSeconds, { reason, headers: rateLimitHeaders(counted) })
}

/** Counts a request by its source. */
function sourceCharger(limits: Limits | undefined, warn: Warn) {
  return async (limitedAs: LimitedAs, { network }: Source): Promise<void> => {
    if (!limits) return
    if (network === undefined) {
      warn("source-unknown")
      return
    }
    const counted = await limits.source(limitedAs, network)
    if (counted?.isExceeded) throw tooMany(counted, "source-limit")
  }
}

/**
 * Reads the options.
 *
 * @throws `TypeError` or `RangeError` naming the option.
 */
export function createEdge(options: EdgeOptions, scope: EdgeScope): Edge {
  const { dangerouslyAllowHttp = [], limits = {}, securityHeaders = {}, trustedProxies = [] } = options
  const { origin, routeOf, requestHeaders, clock } = scope
  const sinkFor = readEvents(options, clock)
  const sourceOf = sourceReader(trustedProxies)
  const origins = createOrigins(options, { ownOrigin: origin, routeOf, requestHeaders })
  const mayPass = readPlainHttp(dangerouslyAllowHttp, origin, options.origins ?? [])
  const secure = readSecurityHeaders(securityHeaders)
  const charge = readLimits(limits, clock, (error) => {
    void report(sinkFor(undefined), { type: "limiter-failed", error })
  })
  const warn = warner(sinkFor(undefined))
  if (dangerouslyAllowHttp.length > 0) warn("plain-http")

  const chargeSource = sourceCharger(charge, warn)

  return {
    chargePrincipal: charge?.principal,
    onEvent: sinkFor(undefined),
    arrive(request, peer) {
      const source = sourceOf(request, peer)
      return { source, onEvent: sinkFor(source.network) }
    },
    async admit(request, { source }, limitedAs) {
      if (!mayPass(source)) throw new Refusal(403, undefined, { reason: "plain-http" })
      const preflight = origins.preflight(request)
      if (preflight) return preflight
      const level = limitedAs === "directory" || limitedAs === "sessions" ? undefined : limitedAs
      if (origins.isForeign(request, level)) {
        throw new Refusal(403, undefined, { reason: "foreign-origin" })
      }
      if (limitedAs !== undefined) await chargeSource(limitedAs, source)
      return undefined
    },
    leave(response, request, { source }) {
      secure(response.headers, source.isEncrypted)
      origins.allow(request, response.headers)
      return response
    },
    leaveOpen(response, request) {
      // what Response.error() gives has no headers
      if (options.origins === undefined || response.status === 0) return response
      // with headers that can be changed: those of a handler's may be another's
      const answer = new Response(response.body, response)
      origins.allow(request, answer.headers)
      return answer
    },
  }
}
