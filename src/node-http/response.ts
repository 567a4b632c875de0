/**
 * A Web response sent by a Node server, as fast as the peer takes it.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { PROBLEM_TYPE } from "../http/problem.ts"
import { ENVELOPE_TYPE, FIELDS_TYPE, mediaType } from "../http/wire.ts"
import { drain } from "./chunks.ts"

/** How long a peer may go on sending after it was refused, in milliseconds: it would not read an answer on a reset connection. */
const LINGER_MS = 1000

/** What is always short, so that it goes out with its length. */
const SHORT_TYPES: readonly string[] = [ENVELOPE_TYPE, FIELDS_TYPE, PROBLEM_TYPE]

function setHead({ status, headers }: Response, res: ServerResponse): void {
  res.statusCode = status
  for (const [name, value] of headers) if (name !== "set-cookie") res.setHeader(name, value)
  const cookies = headers.getSetCookie()
  // beside those that a framework has set before
  if (cookies.length > 0) res.appendHeader("set-cookie", cookies)
}

/** Sends all of a short body before the request has ended; then takes what still comes, for a while, and hangs up. */
async function sendEarly(bytes: Uint8Array, req: IncomingMessage, res: ServerResponse): Promise<void> {
  res.setHeader("connection", "close")
  res.setHeader("content-length", bytes.length)
  res.write(bytes)
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS)
    for (const event of ["end", "close"]) req.once(event, resolve)
    req.once("close", () => clearTimeout(timer))
    drain(req)
  })
  res.end()
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

/**
 * Sends a response. Does not throw for a peer that has gone.
 *
 * @throws What the response's body throws; the peer's connection has been cut then.
 */
export async function sendResponse(
  response: Response,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { body } = response
  if (res.destroyed) return body?.cancel()
  setHead(response, res)
  if (!body) res.end()
  else if (!SHORT_TYPES.includes(mediaType(response.headers.get("content-type")))) await pump(body, res)
  else if (req.complete || req.destroyed) res.end(new Uint8Array(await response.arrayBuffer()))
  else await sendEarly(new Uint8Array(await response.arrayBuffer()), req, res)
}
