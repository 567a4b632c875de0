/**
 * `sealwire/adapters/express`: an endpoint as a middleware of Express 5.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { isBytes } from "../base/bytes.ts"
import { answerSealed, isKnown } from "../node-http/answer.ts"
import { createDispatch } from "../node-http/dispatch.ts"
import type { Outer } from "../node-http/request.ts"
import type { Endpoint } from "../server/endpoint.ts"

export { sealedOf } from "../node-http/answer.ts"
export type { Endpoint } from "../server/endpoint.ts"
export type { RequestDetails } from "../server/exchange.ts"

/** What is used of an Express application. */
export interface ExpressApp {
  (req: IncomingMessage, res: ServerResponse): unknown
  /** The application that this one is mounted in. */
  readonly parent?: ExpressApp
}

/** What is used of Express's request. */
export interface ExpressRequest extends IncomingMessage {
  readonly app: ExpressApp
  readonly originalUrl: string
  readonly body?: unknown
  /** What the `verify` option of body parsers is used to keep. */
  readonly rawBody?: unknown
}

/** A middleware of Express 5. */
export type ExpressMiddleware = (
  req: ExpressRequest,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

const GONE = `the body of a sealed request was parsed before sealwire could read it: mount the middleware before body parsers, \
or have express.text({ type: "application/jose" }) read it`

/** What a parser has left of the body. */
function bodyOf({ rawBody, body, readableDidRead }: ExpressRequest): Outer["body"] {
  for (const left of [rawBody, body]) {
    if (typeof left === "string") return Buffer.from(left)
    if (isBytes(left)) return Buffer.from(left)
  }
  return readableDidRead ? new Error(GONE) : undefined
}

/** The application that the server calls: what stands in front of a mounted one belongs to the request's way, too. */
function rootOf(app: ExpressApp): ExpressApp {
  let root = app
  while (root.parent) root = root.parent
  return root
}

/**
 * Creates a middleware that opens requests and seals their answers.
 *
 * The application gets an opened request as a new one, and its ordinary answer is sealed; `sealedOf(req)` tells what is known of it.
 * A request that may come open goes on to the next middleware. Mount it first: what stands before it runs for the sealed request, and
 * again for the opened one.
 *
 * @example
 * ```ts
 * import express from "express"
 * import { sealed, sealedOf } from "sealwire/adapters/express"
 * import type { Endpoint } from "sealwire/server"
 *
 * function createApp(endpoint: Endpoint) {
 *   const app = express()
 *   app.use(sealed(endpoint), express.json())
 *   app.post("/transfers", (req, res) => {
 *     res.json({ received: req.body, signer: sealedOf(req)?.signer })
 *   })
 *   return app
 * }
 * ```
 */
export function sealed(endpoint: Endpoint): ExpressMiddleware {
  const dispatch = createDispatch()
  return (req, res, next) => {
    if (isKnown(req, endpoint)) {
      next()
      return
    }
    const outer: Outer = { req, target: req.originalUrl, body: bodyOf(req) }
    answerSealed(endpoint, outer, res, dispatch, rootOf(req.app)).then((passes) => {
      if (passes) next()
    }, next)
  }
}
