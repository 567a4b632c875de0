/**
 * A Node server's request as a Web request. docs/protocol.md §8: its URL is of the configured origin, whatever `Host` says.
 *
 * @module
 */

import type { IncomingMessage } from "node:http"

import { streamOf } from "./streams.ts"

/** What of a request its framework knows better than Node. */
export interface Outer {
  readonly req: IncomingMessage
  /** Path and query as they came, where a framework has changed `req.url`. */
  readonly target: string | undefined
  /** What a parser has read of the body, or the error that tells that it is gone; undefined where nobody has read it. */
  readonly body: Uint8Array<ArrayBuffer> | Error | undefined
}

const failing = (error: Error): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(error) }, { highWaterMark: 0 })

function bodyOf({ req, body }: Outer): BodyInit | null {
  if (req.method === "GET" || req.method === "HEAD") return null
  if (body instanceof Error) return failing(body)
  return body ?? streamOf(req)
}

/** Headers as they came. */
export function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "")
  }
  return headers
}

/** Reads a request without touching its body; undefined for what no Web request can be, such as `OPTIONS *` or `TRACE`. */
export function toRequest(outer: Outer, origin: string, signal: AbortSignal): Request | undefined {
  const { req, target = req.url ?? "" } = outer
  // not a base: "//host/path" would be another origin's
  const url = target.startsWith("/") ? origin + target : target
  try {
    const init = { method: req.method ?? "", headers: headersOf(req), body: bodyOf(outer), signal }
    return new Request(url, { ...init, duplex: "half" } as RequestInit)
  } catch {
    return undefined
  }
}
