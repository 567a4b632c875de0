/**
 * `sealwire/adapters/node`: an endpoint on `node:http` and `node:https`, with a handler of Web requests, or around any listener.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { assertFunction, assertOptions } from "../base/options.ts"
import { answerRequest, answerSealed } from "../node-http/answer.ts"
import { createDispatch, type NodeListener } from "../node-http/dispatch.ts"
import type { Endpoint } from "../server/endpoint.ts"
import type { Handler } from "../server/exchange.ts"

export type { NodeListener } from "../node-http/dispatch.ts"
export { sealedOf } from "../node-http/answer.ts"
export { tlsOptions, type TlsOptions } from "../node-http/tls.ts"
export type { Endpoint } from "../server/endpoint.ts"
export type { Handler, RequestDetails } from "../server/exchange.ts"

/** Options of {@link createListener} and {@link sealedListener}. */
export interface ListenerOptions {
  /** Told what failed in this process; the peer gets a plain 500. Default: `console.error`. */
  readonly onError?: (error: unknown) => unknown
}

/** What `http.createServer` and `https.createServer` take. */
export type RequestListener = (req: IncomingMessage, res: ServerResponse) => void

function readOnError(options: ListenerOptions): (error: unknown) => unknown {
  assertOptions(options, "options", ["onError"])
  const { onError = (error: unknown): unknown => console.error(error) } = options
  assertFunction(onError, "options.onError")
  return onError
}

/** A listener that answers 500 where `answer` fails, and tells the operator. */
function listenerOf(
  options: ListenerOptions,
  answer: (req: IncomingMessage, res: ServerResponse) => Promise<unknown>,
): RequestListener {
  const onError = readOnError(options)
  return (req, res) => {
    answer(req, res).catch((error: unknown) => {
      onError(error)
      if (res.headersSent) res.destroy()
      else res.writeHead(500, { connection: "close" }).end()
    })
  }
}

/**
 * Creates a listener that hands opened requests, and those that may come open, to a handler of Web requests.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http"
 * import { createListener } from "sealwire/adapters/node"
 * import type { Endpoint } from "sealwire/server"
 *
 * const serve = (endpoint: Endpoint) =>
 *   createServer(createListener(endpoint, async (request) => Response.json({ received: await request.json() })))
 * ```
 */
export function createListener(
  endpoint: Endpoint,
  handler: Handler,
  options: ListenerOptions = {},
): RequestListener {
  assertFunction(handler, "handler")
  return listenerOf(options, (req, res) =>
    answerRequest(endpoint, { req, target: undefined, body: undefined }, res, handler),
  )
}

/**
 * Creates a listener around another, such as a framework's: that one gets opened requests as if they had come so, and its answers are
 * sealed. Requests that may come open reach it untouched. {@link sealedOf} tells it what is known of a request.
 *
 * @example
 * ```ts
 * import { createServer, type RequestListener } from "node:http"
 * import { sealedListener, sealedOf } from "sealwire/adapters/node"
 * import type { Endpoint } from "sealwire/server"
 *
 * const app: RequestListener = (req, res) => res.end(`hello, ${sealedOf(req)?.signer ?? "nobody"}`)
 * const serve = (endpoint: Endpoint) => createServer(sealedListener(endpoint, app))
 * ```
 */
export function sealedListener(
  endpoint: Endpoint,
  listener: NodeListener,
  options: ListenerOptions = {},
): RequestListener {
  assertFunction(listener, "listener")
  const dispatch = createDispatch()
  return listenerOf(options, async (req, res) => {
    const outer = { req, target: undefined, body: undefined }
    if (await answerSealed(endpoint, outer, res, dispatch, listener)) await listener(req, res)
  })
}
