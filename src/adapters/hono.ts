/**
 * `sealwire/adapters/hono`: an endpoint as a middleware of Hono 4, on any runtime.
 *
 * @module
 */

import { type NodeSocket, peerOfSocket } from "../http/socket-peer.ts"
import type { Endpoint } from "../server/endpoint.ts"
import type { RequestDetails } from "../server/exchange.ts"
import type { Peer } from "../server/source.ts"

export type { Peer } from "../server/source.ts"
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
  /** What the runtime gives; on `@hono/node-server`, Node's own request is in it. */
  readonly env: unknown
  // Hono's accessors differ: only undefined makes it forget the response that it has
  get res(): Response
  set res(response: Response | undefined)
  set(key: "sealed", details: RequestDetails): void
}

/** A middleware of Hono 4. */
export type HonoMiddleware<Context extends HonoContext = HonoContext> = (
  context: Context,
  next: () => Promise<void>,
) => Promise<void>

/** Options of {@link sealed}. */
export interface SealedOptions<Context extends HonoContext> {
  /**
   * Tells the connection that a request came on, such as `(c) => ({ address: getConnInfo(c).remote.address })` with the
   * `getConnInfo` of your runtime. Default: Node's socket, on `@hono/node-server`; else nothing, and nothing is limited by source.
   */
  readonly peerOf?: (context: Context) => Peer | undefined
}

/** Where `@hono/node-server` has Node's request. */
interface NodeEnv {
  readonly incoming?: { readonly socket?: NodeSocket }
}

function nodePeer({ env }: HonoContext): Peer | undefined {
  const socket = (env as NodeEnv | undefined)?.incoming?.socket
  return socket && peerOfSocket(socket)
}

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
export function sealed<Context extends HonoContext = HonoContext>(
  endpoint: Endpoint,
  { peerOf = nodePeer }: SealedOptions<Context> = {},
): HonoMiddleware<Context> {
  return async (context, next) => {
    const outer = context.req.raw
    if (outer.bodyUsed) throw new Error(GONE)
    const handler = async (inner: Request, details: RequestDetails): Promise<Response> => {
      context.set("sealed", details)
      context.req.raw = inner
      context.req.bodyCache = {}
      await next()
      return context.res
    }
    const response = await endpoint.handle(outer, handler, peerOf(context))
    // Hono adds the headers of a response that it has to the one that replaces it
    context.res = undefined
    context.res = response
  }
}
