/**
 * The server's end of sealed HTTP, over Web-standard requests and responses. docs/protocol.md §7 and §8.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { type OuterResponse, webResponse } from "../http/outer-response.ts"
import { openUnauthorized, refusal } from "../http/problem.ts"
import { DIRECTORY_PATH, isSessionsPath } from "../http/wire.ts"
import { NOT_ASKED } from "./authenticate.ts"
import { tooMany, type Visit } from "./edge.ts"
import { looksSealed } from "./envelope-of.ts"
import { report } from "./events.ts"
import { exchange, type Exchanging, givenRequestId, type Handler, type RequestDetails } from "./exchange.ts"
import { type EndpointOptions, type EndpointTerms, readEndpointOptions } from "./options.ts"
import { startFloor } from "./floor.ts"
import type { LimitedAs } from "./limits.ts"
import { outerRequest, type OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"
import type { Level, Route } from "./routes.ts"
import type { Peer } from "./source.ts"

/** The server's end. Made by {@link createEndpoint}. */
export interface Endpoint {
  /** Scheme, host and port as clients see them, as configured. */
  readonly origin: string
  /**
   * Answers a request: hands what was sealed in it to `next` as an ordinary request, and seals the response. Never rejects for
   * what a peer sends.
   *
   * @param peer - What the connection says, which a `Request` does not: adapters give it. Without it nothing is limited by source, and
   *   whether the request came over TLS is read from its URL.
   */
  handle(request: Request, next: Handler, peer?: Peer): Promise<Response>
  /** The same for adapters of servers that have no Web requests: they write what comes, or make a `Response` of it. */
  answer(request: OuterRequest, next: Handler, peer?: Peer): Promise<OuterResponse | Response>
  /** The uniform refusal, for what came over HTTP but is no Web request, such as `TRACE`. */
  refuse(headers: Headers, peer?: Peer): Promise<OuterResponse | Response>
  /** The level of a route, by method and path without query; undefined for one that nothing names. */
  levelOf(method: string, path: string): Level | undefined
}

/** Why a request was refused unsealed, as a status. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof SealwireError)) throw error
  const { code, retryAfterSeconds = 1 } = error
  if (code === "ERR_NO_SESSION") return new Refusal(401, undefined, { code })
  // steps 1 to 7 of §3.4; everything else is this server's trouble
  if (code === "ERR_OPEN_FAILED") return new Refusal(400, undefined, { code })
  return new Refusal(503, retryAfterSeconds, { code })
}

/** What goes back. */
type Answer =
  | { readonly response: OuterResponse | Response; readonly isOpen?: false }
  /** A handler's own, to a request that came open. */
  | { readonly response: Response; readonly isOpen: true }

/** What is known of a request that came open on a route of level `low`. */
function openDetails(request: Request): RequestDetails {
  const requestId = givenRequestId(request) ?? ""
  const unknown = { signer: undefined, session: undefined, kid: undefined, issuedAt: undefined }
  return { level: "low", sealed: false, requestId, ...unknown, principal: undefined }
}

/** Hands on what came open on a route of level `low`. */
async function answerOpen(
  outer: OuterRequest,
  route: Route,
  next: Handler,
  { authenticate, chargePrincipal, onEvent }: Exchanging,
): Promise<Answer> {
  const request = outer.toRequest()
  const details = openDetails(request)
  const proven = (await authenticate?.(request, details, route)) ?? NOT_ASKED
  if (proven.refused) {
    void report(onEvent, { type: "refused", status: 401, code: undefined, reason: proven.reason })
    return { response: openUnauthorized() }
  }
  const known = { ...details, principal: proven.principal }
  const counted = await chargePrincipal?.(known)
  if (counted?.isExceeded) throw tooMany(counted, "principal-limit")
  return { response: await next(request, known), isOpen: true }
}

type AnswerRequest = (request: OuterRequest, next: Handler, visit: Visit) => Promise<Answer>

/** Answers requests. */
function answerWith({
  routeOf,
  serveDirectory,
  serveSessions,
  edge,
  ...terms
}: EndpointTerms): AnswerRequest {
  function limitedAs(method: string, path: string): LimitedAs | undefined {
    if (serveDirectory && path === DIRECTORY_PATH) return "directory"
    if (serveSessions && isSessionsPath(path)) return "sessions"
    return routeOf(method, path)?.level
  }

  return async (request, next, visit) => {
    const { pathname } = request.url
    const early = await edge.admit(request, visit, limitedAs(request.method, pathname))
    if (early) return { response: early }
    if (serveDirectory && pathname === DIRECTORY_PATH) return { response: await serveDirectory(request) }
    const heard = { ...terms, onEvent: visit.onEvent }
    const served = serveSessions?.(request, heard)
    if (served) return { response: await served }
    const route = routeOf(request.method, pathname)
    if (route === undefined) throw new Refusal(400)
    if (route.level === "low" && !looksSealed(request)) return answerOpen(request, route, next, heard)
    return { response: await exchange(request, route, next, heard) }
  }
}

/**
 * Creates the server's end of sealed HTTP.
 *
 * @throws `TypeError` or `RangeError` for a wrong option.
 * @example
 * ```ts
 * import { createReplayGuard, memoryStore } from "sealwire"
 * import { createKeyRing, generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
 * import { createEndpoint } from "sealwire/server"
 *
 * const { privateKey } = await generateKeyPair()
 * const { signingKey: identity } = await generateSigningKeyPair()
 * const endpoint = createEndpoint({
 *   origin: "https://api.example.com",
 *   keys: createKeyRing([privateKey]),
 *   directory: { identity },
 *   replay: createReplayGuard({ store: memoryStore() }),
 *   routes: { "POST /transfers": "high", "/**": "medium" },
 * })
 * // Bun.serve, Deno.serve, Workers and route handlers of Next.js take this as it is
 * const fetch = (request: Request) =>
 *   endpoint.handle(request, async (inner) => Response.json({ received: await inner.json() }))
 * ```
 */
export function createEndpoint(options: EndpointOptions): Endpoint {
  const terms = readEndpointOptions(options)
  const { origin, routeOf, refusalFloorMs, edge } = terms
  const answer = answerWith(terms)

  async function handleWith(
    request: OuterRequest,
    visit: Visit,
    work: () => Promise<Answer>,
  ): Promise<OuterResponse | Response> {
    const floor = startFloor(refusalFloorMs)
    try {
      const { response, isOpen } = await work()
      return isOpen ? edge.leaveOpen(response, request) : edge.leave(response, request, visit)
    } catch (error) {
      const { status, retryAfterSeconds, details } = refusalOf(error)
      // the other statuses say themselves what they are for
      if (status === 400) await floor.reached
      const { code, reason } = details
      void report(visit.onEvent, { type: "refused", status, code, reason })
      return edge.leave(refusal(status, retryAfterSeconds, details.headers), request, visit)
    } finally {
      floor.cancel()
    }
  }

  function respond(request: OuterRequest, next: Handler, peer?: Peer): Promise<OuterResponse | Response> {
    const visit = edge.arrive(request, peer)
    return handleWith(request, visit, () => answer(request, next, visit))
  }

  return {
    origin,
    levelOf: (method, path) => routeOf(method, path)?.level,
    answer: respond,
    async handle(request, next, peer) {
      return webResponse(await respond(outerRequest(request), next, peer))
    },
    refuse(headers, peer) {
      const nothing = outerRequest(new Request(origin, { headers }))
      const visit = edge.arrive(nothing, peer)
      return handleWith(nothing, visit, async () => {
        throw new Refusal(400)
      })
    },
  }
}
