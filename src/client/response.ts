/**
 * The inner answer as the platform's `Response`.
 *
 * @module
 */

import { hasNoBody, REQUEST_ID_HEADER } from "../http/wire.ts"
import type { Answer } from "./answer.ts"
import type { Operation } from "./request.ts"

/** Makes the `Response`. */
export function responseOf(
  { status, headers, body, stream }: Answer,
  { url: { origin, pathname, search }, method, requestId }: Operation,
): Response {
  const noBody = hasNoBody(status) || method === "HEAD"
  const response = new Response(noBody ? null : (stream ?? body), {
    status,
    headers: headers as [string, string][],
  })
  if (!response.headers.has(REQUEST_ID_HEADER)) response.headers.set(REQUEST_ID_HEADER, requestId)
  // a constructed Response has none, and callers log it
  const url = { value: origin + pathname + search, enumerable: true, configurable: true }
  return Object.defineProperty(response, "url", url)
}
