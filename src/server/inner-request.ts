/**
 * The request that a handler sees: made from the sealed message alone. docs/protocol.md §8.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { parseRequest, type RequestMessage } from "../http/message.ts"
import type { OuterRequest } from "./outer-request.ts"

/** How outer and inner requests are joined. */
export interface Joining {
  readonly origin: string
  /** What a gateway in front has taken off the path. */
  readonly pathPrefix: string
  /** Outer headers that the handler may see where the message does not have them. */
  readonly outerRequestHeaders: readonly string[]
}

/** Byte for byte: method and path; and the query, where one stands outside. */
function isFor({ method, path }: RequestMessage, outer: OuterRequest, { pathPrefix }: Joining): boolean {
  const { pathname, search } = outer.url
  const [innerPath = ""] = path.split("?", 1)
  if (method !== outer.method || innerPath !== pathPrefix + pathname) return false
  return search === "" || path === `${pathPrefix}${pathname}${search}`
}

function headersOf(
  { headers: own }: RequestMessage,
  outer: OuterRequest,
  { outerRequestHeaders }: Joining,
): [name: string, value: string][] {
  const headers = [...own] as [name: string, value: string][]
  for (const name of outerRequestHeaders) {
    const value = outer.headers.get(name)
    if (value !== null && !headers.some(([each]) => each === name)) headers.push([name, value])
  }
  return headers
}

/**
 * Reads the sealed message as a request; undefined unless it is one, and for the method and path that it came to.
 */
export function innerRequest(message: Bytes, outer: OuterRequest, joining: Joining): Request | undefined {
  const parsed = parseRequest(message)
  if (!parsed || !isFor(parsed, outer, joining)) return undefined
  const { method, path, body } = parsed
  const target = path.slice(joining.pathPrefix.length)
  const url = new URL(joining.origin + target)
  // a path that the URL parser changes would be one thing here and another in the handler
  if (url.pathname + url.search !== target) return undefined
  if (body.length > 0 && (method === "GET" || method === "HEAD")) return undefined
  try {
    return new Request(url, {
      method,
      headers: headersOf(parsed, outer, joining),
      body: body.length > 0 ? body : null,
      signal: outer.signal,
    })
  } catch {
    // a method such as TRACE, which the platform does not let through
    return undefined
  }
}
