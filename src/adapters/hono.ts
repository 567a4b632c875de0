/**
 * `sealwire/adapters/hono`: an endpoint as a middleware of Hono 4, on any runtime.
 *
 * @module
 */

import type { Endpoint } from "../server/endpoint.ts"
import type { RequestDetails } from "../server/exchange.ts"

export type { Endpoint } from "../server/endpoint.ts"
export type { RequestDetails } from "../server/exchange.ts"

/** Variables of Hono's context behind the middleware: `new Hono<{ Variables: SealedVariables }>()`. */
export interface SealedVariables {
  /** What is known of the request. */
  sealed: RequestDetails
}

/** What is used of Hono's context. */
export interface HonoContext {
  readonly req: { raw: Request; bodyCache: object }
  // Hono's accessors differ: only undefined makes it forget the response that it has
  get res(): Response
  set res(response: Response | undefined)
  set(key: "sealed", details: RequestDetails): void
}

/** A middleware of Hono 4. */
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<void>

const GONE =
  "the body of a sealed request was read before sealwire could: mount the middleware before what reads it"

/**
 * Creates a middleware that opens requests and seals their answers.
 *
 * What stands behind it sees the opened request, and its ordinary answer is sealed; `c.get("sealed")` tells what is known of it. What
 * stands before it sees the sealed ones.
 *
 * @example
 * ```ts
 * import { Hono } from "hono"
 * import { sealed, type SealedVariables } from "sealwire/adapters/hono"
 * import type { Endpoint } from "sealwire/server"
 *
 * function createApp(endpoint: Endpoint) {
 *   const app = new Hono<{ Variables: SealedVariables }>()
 *   app.use(sealed(endpoint))
 *   app.post("/transfers", async (c) => c.json({ received: await c.req.json(), signer: c.get("sealed").signer }))
 *   return app
 * }
 * ```
 */
export function sealed(endpoint: Endpoint): HonoMiddleware {
  return async (context, next) => {
    const outer = context.req.raw
    if (outer.bodyUsed) throw new Error(GONE)
    const response = await endpoint.handle(outer, async (inner, details) => {
      context.set("sealed", details)
      context.req.raw = inner
      context.req.bodyCache = {}
      await next()
      return context.res
    })
    // Hono adds the headers of a response that it has to the one that replaces it
    context.res = undefined
    context.res = response
  }
}
