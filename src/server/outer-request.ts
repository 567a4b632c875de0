/**
 * A request as it came: what is read of it before anything in it counts, and no more. Making a Web `Request` costs a Node server about
 * as much as a refusal takes besides, so that is left until somebody is given one.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { collectBody } from "../http/collected-body.ts"

/** What an endpoint reads of a request. Adapters make one of what their server has; a Web `Request` does as well. */
export interface OuterRequest {
  /** Upper case, such as `"POST"`. */
  readonly method: string
  /** Of the endpoint's origin, whatever `Host` says. */
  readonly url: URL
  /** By names in lower case; a header that came twice is one, with a comma between. */
  readonly headers: Pick<Headers, "get" | "has">
  /** Aborted when the peer goes before it has its answer. */
  readonly signal: AbortSignal
  /** Whether it may have a body, which can still be empty. */
  readonly hasBody: boolean
  /**
   * Reads the body; called once at most. Must hold no more than `maxBytes` of it.
   *
   * @returns Undefined for a longer one, as soon as that shows: a peer that goes on sending must not hold its refusal back.
   * @throws Anything, when the body breaks off.
   */
  readBody(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** The same as a Web request, for handlers and hooks; called before the body is read, or not at all. */
  toRequest(): Request
}

/** Firefox has no `Request.body`; nobody on the way can make it hold too much, for it is no server. */
async function bodyOf(request: Request): Promise<ReadableStream<Bytes> | null> {
  const body = request.body as ReadableStream<Bytes> | null | undefined
  return body === undefined ? (await request.blob()).stream() : body
}

async function readBody(request: Request, maxBytes: number): Promise<Bytes | undefined> {
  const body = collectBody(maxBytes)
  const reader = (await bodyOf(request))?.getReader()
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
    if (body.add(step.value)) continue
    // not awaited: it may wait for a peer that goes on sending
    reader?.cancel().catch(() => undefined)
    return undefined
  }
  return body.bytes()
}

/** Makes one of a Web request. */
export function outerRequest(request: Request | OuterRequest): OuterRequest {
  if ("toRequest" in request) return request
  const { method, headers } = request
  return {
    method,
    headers,
    url: new URL(request.url),
    get signal() {
      return request.signal
    },
    get hasBody() {
      return request.body !== null
    },
    readBody: (maxBytes) => readBody(request, maxBytes),
    toRequest: () => request,
  }
}
