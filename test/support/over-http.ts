/**
 * Sending over a real connection, with nothing of `fetch` in between that corrects what goes out.
 *
 * @module
 */

import { once } from "node:events"
import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { Readable } from "node:stream"

/** A server under test. */
export interface Address {
  readonly url: string
  /** Certificate of an https server. */
  readonly ca?: string
}

/** Sends a request to a server, whatever origin it is for, each over a connection of its own. */
export async function sendTo({ url, ca }: Address, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const body = Buffer.from(await request.arrayBuffer())
  const [answer] = (await once(
    (ca === undefined ? requestHttp : requestHttps)(url + pathname + search, {
      method: request.method,
      headers: {
        ...Object.fromEntries(request.headers),
        ...(body.length > 0 && { "content-length": body.length }),
      },
      agent: false,
      ...(ca !== undefined && { ca }),
      signal: request.signal,
    }).end(body),
    "response",
  )) as [IncomingMessage]
  const headers = new Headers()
  for (let at = 0; at < answer.rawHeaders.length; at += 2) {
    headers.append(answer.rawHeaders[at] ?? "", answer.rawHeaders[at + 1] ?? "")
  }
  const { statusCode: status = 0 } = answer
  const hasBody = request.method !== "HEAD" && status !== 204 && status !== 304
  if (!hasBody) answer.resume()
  return new Response(hasBody ? (Readable.toWeb(answer) as ReadableStream) : null, { status, headers })
}
