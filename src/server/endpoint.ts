/**
 * The server's end of sealed HTTP, over Web-standard requests and responses. docs/protocol.md §7 and §8.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { openUnauthorized, refusal } from "../http/problem.ts"
import { DIRECTORY_PATH, REQUEST_ID_HEADER } from "../http/wire.ts"
import { looksSealed } from "./envelope-of.ts"
import { report } from "./events.ts"
import { exchange, type Exchanging, type Handler, type RequestDetails } from "./exchange.ts"
import { type EndpointOptions, readEndpointOptions } from "./options.ts"
import { startFloor } from "./floor.ts"
import { Refusal } from "./refusal-error.ts"
import type { Level, Route } from "./routes.ts"

/** The server's end. Made by {@link createEndpoint}. */
export interface Endpoint {
  /** Scheme, host and port as clients see them, as configured. */
  readonly origin: string
  /**
   * Answers a request: hands what was sealed in it to `next` as an ordinary request, and seals the response. Never rejects for
   * what a peer sends.
   */
  handle(request: Request, next: Handler): Promise<Response>
  /** The level of a route, by method and path without query; undefined for one that nothing names. */
  levelOf(method: string, path: string): Level | undefined
}

/** Why a request was refused unsealed, as a status. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof SealwireError)) throw error
  if (error.code === "ERR_NO_SESSION") return new Refusal(401)
  // steps 1 to 7 of §3.4; everything else is this server's trouble
  return error.code === "ERR_OPEN_FAILED" ? new Refusal(400) : new Refusal(503, error.retryAfterSeconds ?? 1)
}

/** What is known of a request that came open on a route of level `low`. */
function openDetails({ headers }: Request): RequestDetails {
  const requestId = headers.get(REQUEST_ID_HEADER) ?? ""
  const unknown = { signer: undefined, session: undefined, kid: undefined, issuedAt: undefined }
  return { level: "low", sealed: false, requestId, ...unknown, principal: undefined }
}

/** Hands on what came open on a route of level `low`. */
async function answerOpen(
  request: Request,
  route: Route,
  next: Handler,
  { authenticate, onEvent }: Exchanging,
): Promise<Response> {
  const details = openDetails(request)
  const proven = await authenticate?.(request, details, route)
  if (!proven) return next(request, details)
  if (!proven.refused) return next(request, { ...details, principal: proven.principal })
  void report(onEvent, { type: "refused", status: 401, code: undefined, reason: proven.reason })
  return openUnauthorized()
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
  const { routeOf, serveDirectory, serveSessions, refusalFloorMs, ...terms } = readEndpointOptions(options)

  async function answer(request: Request, next: Handler): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (serveDirectory && pathname === DIRECTORY_PATH) return serveDirectory(request)
    const served = serveSessions?.(request, terms)
    if (served) return served
    const route = routeOf(request.method, pathname)
    if (route === undefined) throw new Refusal(400)
    if (route.level === "low" && !looksSealed(request)) return answerOpen(request, route, next, terms)
    return exchange(request, route, next, terms)
  }

  return {
    origin: terms.origin,
    levelOf: (method, path) => routeOf(method, path)?.level,
    async handle(request, next) {
      const floor = startFloor(refusalFloorMs)
      try {
        return await answer(request, next)
      } catch (error) {
        const { status, retryAfterSeconds } = refusalOf(error)
        // the other statuses say themselves what they are for
        if (status === 400) await floor.reached
        const code = error instanceof SealwireError ? error.code : undefined
        void report(terms.onEvent, { type: "refused", status, code })
        return refusal(status, retryAfterSeconds)
      } finally {
        floor.cancel()
      }
    },
  }
}
