/**
 * The inner answer as the platform's `Response`.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { hasNoBody, REQUEST_ID_HEADER } from "../http/wire.ts"
import type { Answer } from "./answer.ts"
import type { Deadline } from "./deadline.ts"
import type { Operation } from "./request.ts"

/** A stream that ends with the caller's signal, also where the answer's source knows none; then lets go of the deadline. */
function abortable(source: ReadableStream<Bytes>, deadline: Deadline): ReadableStream<Bytes> {
  const reader = source.getReader()
  const { signal } = deadline
  return new ReadableStream<Bytes>({
    start(controller) {
      signal.addEventListener("abort", () => {
        controller.error(signal.reason)
        reader.cancel(signal.reason).catch(() => undefined)
      })
    },
    async pull(controller) {
      try {
        const { done, value } = await deadline.wait(reader.read())
        if (!done) {
          controller.enqueue(value)
          return
        }
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      deadline.end()
    },
    cancel(reason) {
      deadline.end()
      return reader.cancel(reason)
    },
  })
}

/** Makes the `Response`; a deadline goes on for as long as its stream does. */
export function responseOf(
  answer: Answer,
  { url, method, requestId }: Operation,
  deadline: Deadline,
): Response {
  const { status, headers, body, stream } = answer
  const noBody = hasNoBody(status) || method === "HEAD"
  const content = stream ? abortable(stream, deadline) : body
  const response = new Response(noBody ? null : content, {
    status,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  })
  if (!response.headers.has(REQUEST_ID_HEADER)) response.headers.set(REQUEST_ID_HEADER, requestId)
  // a constructed Response has none, and callers log it
  const { href } = new URL(url.pathname + url.search, url)
  return Object.defineProperty(response, "url", { value: href, enumerable: true, configurable: true })
}
