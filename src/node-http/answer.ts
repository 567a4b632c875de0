/**
 * One request of a Node server: to the endpoint and back, or past it.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { peerOfSocket } from "../http/socket-peer.ts"
import type { Endpoint } from "../server/endpoint.ts"
import type { Handler, RequestDetails } from "../server/exchange.ts"
import type { Dispatch, NodeListener } from "./dispatch.ts"
import { headersOf, isGone, type Outer, readOuter } from "./request.ts"
import { sendResponse } from "./response.ts"

interface Known {
  readonly endpoint: Endpoint
  readonly details: RequestDetails
}

/** By request rather than on it: what a request is, only its endpoint can say. */
const knownRequests = new WeakMap<IncomingMessage, Known>()

function remember(req: IncomingMessage, endpoint: Endpoint, details: RequestDetails): void {
  knownRequests.set(req, { endpoint, details })
}

/** Whether a request is one that `endpoint` has opened, or let pass open; another endpoint's is not. */
export function isKnown(req: IncomingMessage, endpoint: Endpoint): boolean {
  return knownRequests.get(req)?.endpoint === endpoint
}

/** What a handler may know of the request that it was given; undefined where no endpoint has seen it. */
export function sealedOf(req: IncomingMessage): RequestDetails | undefined {
  return knownRequests.get(req)?.details
}

/**
 * Answers a request by what `handler` says.
 *
 * @throws What an operator has to know: never for what a peer sent.
 */
export async function answerRequest(
  endpoint: Endpoint,
  outer: Outer,
  res: ServerResponse,
  handler: Handler,
  isPassed: () => boolean = () => false,
): Promise<void> {
  const request = readOuter(outer, endpoint.origin, res)
  const peer = peerOfSocket(outer.req.socket)
  try {
    const response = await (request
      ? endpoint.answer(request, handler, peer)
      : endpoint.refuse(headersOf(outer.req), peer))
    if (!isPassed()) await sendResponse(response, outer.req, res)
    // which pages may read it
    else for (const [name, value] of response.headers) res.setHeader(name, value)
  } catch (error) {
    // a body that broke off with its connection
    if (!isGone(res)) throw error
  }
}

/**
 * Answers a request by what a Node listener says to the opened one, unless it may pass open.
 *
 * @returns Whether it may: then nothing was read of it, and nothing written.
 * @throws What an operator has to know: never for what a peer sent.
 */
export async function answerSealed(
  endpoint: Endpoint,
  outer: Outer,
  res: ServerResponse,
  dispatch: Dispatch,
  listener: NodeListener,
): Promise<boolean> {
  let isPassed = false
  const handler: Handler = (inner, details) => {
    if (details.sealed) {
      return dispatch(inner, outer.req, (req, innerRes) => {
        remember(req, endpoint, details)
        return listener(req, innerRes)
      })
    }
    remember(outer.req, endpoint, details)
    isPassed = true
    return new Response()
  }
  await answerRequest(endpoint, outer, res, handler, () => isPassed)
  return isPassed
}
