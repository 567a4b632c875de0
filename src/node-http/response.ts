/**
 * A Web response sent by a Node server, as fast as the peer takes it.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import type { OuterResponse } from "../http/outer-response.ts"
import { PROBLEM_TYPE } from "../http/problem.ts"
import { ENVELOPE_TYPE, FIELDS_TYPE, mediaType } from "../http/wire.ts"
import { drain } from "./chunks.ts"

/** How long a peer may go on sending after it was refused, in milliseconds: it would not read an answer on a reset connection. */
const LINGER_MS = 1000

/** What is always short, so that it goes out with its length. */
const SHORT_TYPES: readonly string[] = [ENVELOPE_TYPE, FIELDS_TYPE, PROBLEM_TYPE]

function setHead(status: number, headers: Iterable<[string, string]>, res: ServerResponse): void {
  res.statusCode = status
  for (const [name, value] of headers) if (name !== "set-cookie") res.setHeader(name, value)
}

function setCookies({ headers }: Response, res: ServerResponse): void {
  const cookies = headers.getSetCookie()
  // beside those that a framework has set before
  if (cookies.length > 0) res.appendHeader("set-cookie", cookies)
}

/** Sends all of a short body before the request has ended; then takes what still comes, for a while, and hangs up. */
async function sendEarly(body: string | Buffer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  res.setHeader("connection", "close")
  res.setHeader("content-length", body.length)
  res.write(body, "latin1")
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS)
    for (const event of ["end", "close"]) req.once(event, resolve)
    req.once("close", () => clearTimeout(timer))
    drain(req)
  })
  res.end()
}

/** Sends a body that is there; null for none. */
function sendShort(
  body: string | Buffer | null,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> | undefined {
  if (body !== null && !req.complete && !req.destroyed) return sendEarly(body, req, res)
  res.end(body ?? "", "latin1")
  return undefined
}

/** Until a response takes more, or never will. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      res.off("drain", go).off("close", go)
      resolve()
    }
    res.on("drain", go).on("close", go)
  })
}

async function pump(body: ReadableStream<Uint8Array>, res: ServerResponse): Promise<void> {
  const reader = body.getReader()
  const gone = (): void => void reader.cancel().catch(() => undefined)
  res.once("close", gone)
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (!res.write(step.value) && !res.destroyed) await drained(res)
    }
    res.off("close", gone)
    res.end()
  } catch (error) {
    // cut short, so that nobody takes what went out for all of it
    res.destroy()
    throw error
  }
}

async function sendWeb(response: Response, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { body } = response
  if (res.destroyed) return body?.cancel()
  setHead(response.status, response.headers, res)
  setCookies(response, res)
  if (!body) res.end()
  else if (!SHORT_TYPES.includes(mediaType(response.headers.get("content-type")))) await pump(body, res)
  else await sendShort(Buffer.from(await response.arrayBuffer()), req, res)
}

/**
 * Sends a response. Does not throw for a peer that has gone.
 *
 * @throws What the response's body throws; the peer's connection has been cut then.
 */
export function sendResponse(
  response: OuterResponse | Response,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> | undefined {
  if ("body" in response) return sendWeb(response, req, res)
  if (res.destroyed) return undefined
  setHead(response.status, response.headers.sorted(), res)
  return sendShort(response.text, req, res)
}
