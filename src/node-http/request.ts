/**
 * A Node server's request as an endpoint reads it. docs/protocol.md §8: its URL is of the configured origin, whatever `Host` says.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { collectBody } from "../http/collected-body.ts"
import type { OuterRequest } from "../server/outer-request.ts"
import { discarding } from "./chunks.ts"
import { streamOf } from "./streams.ts"

/** What of a request its framework knows better than Node. */
export interface Outer {
  readonly req: IncomingMessage
  /** Path and query as they came, where a framework has changed `req.url`. */
  readonly target: string | undefined
  /** What a parser has read of the body, or the error that tells that it is gone; undefined where nobody has read it. */
  readonly body: Uint8Array<ArrayBuffer> | Error | undefined
}

type Body = Uint8Array<ArrayBuffer>

/** What no Web request can be, though Node's parser takes it. */
const FORBIDDEN_METHODS: readonly string[] = ["CONNECT", "TRACE"]
const BODILESS_METHODS: readonly string[] = ["GET", "HEAD"]

const failing = (error: Error): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(error) }, { highWaterMark: 0 })

/** Calls `take` with each header as it came. */
function eachHeader({ rawHeaders }: IncomingMessage, take: (name: string, value: string) => void): void {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) take(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "")
}

/** Headers as they came. */
export function headersOf(req: IncomingMessage): Headers {
  const headers = new Headers()
  eachHeader(req, (name, value) => {
    headers.append(name, value)
  })
  return headers
}

/** The same to read only: checked by Node's parser, so that `Headers` need not do it again. */
function readableHeaders(req: IncomingMessage): Pick<Headers, "get" | "has"> {
  const headers = new Map<string, string>()
  eachHeader(req, (name, value) => {
    const lower = name.toLowerCase()
    const before = headers.get(lower)
    headers.set(lower, before === undefined ? value : `${before}, ${value}`)
  })
  return { get: (name) => headers.get(name) ?? null, has: (name) => headers.has(name) }
}

/** Reads up to `maxBytes`. Does not end the request when that is too little: destroying it would take the connection from its answer. */
function readFrom(req: IncomingMessage, maxBytes: number): Promise<Body | undefined> {
  return new Promise((resolve, reject) => {
    const body = collectBody(maxBytes, discarding(req))
    function take(chunk: Body): void {
      if (body.add(chunk)) return
      req.off("data", take).off("close", breakOff).pause()
      resolve(undefined)
    }
    function end(): void {
      resolve(body.bytes())
    }
    function breakOff(): void {
      if (!req.readableEnded) reject(new Error("the request has broken off"))
    }
    req.on("data", take).on("end", end).on("error", reject).on("close", breakOff)
    // it may have ended before, or its peer gone
    if (req.readableEnded) end()
    else if (req.destroyed) breakOff()
  })
}

/** A signal that is aborted when the peer goes before it has its answer. */
function signalOf(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  const abort = (): void => {
    if (isGone(res)) controller.abort()
  }
  res.once("close", abort)
  abort()
  return controller.signal
}

/** Whether the peer has gone before it had its answer. */
export function isGone(res: ServerResponse): boolean {
  return res.closed && !res.writableFinished
}

function bodyOf({ hasBody }: OuterRequest, { req, body }: Outer): BodyInit | null {
  if (!hasBody) return null
  if (body instanceof Error) return failing(body)
  return body ?? streamOf(req)
}

function toRequest(request: OuterRequest, outer: Outer): Request {
  const { url, method, signal } = request
  const init = { method, headers: headersOf(outer.req), body: bodyOf(request, outer), signal }
  return new Request(url, { ...init, duplex: "half" } as RequestInit)
}

/** Reads a request without touching its body; undefined for what no Web request can be, such as `OPTIONS *` or `TRACE`. */
export function readOuter(outer: Outer, origin: string, res: ServerResponse): OuterRequest | undefined {
  const { req, target = req.url ?? "", body } = outer
  const { method = "" } = req
  // not a base: "//host/path" would be another origin's
  const text = target.startsWith("/") ? origin + target : target
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.username !== "" || url.password !== "" || FORBIDDEN_METHODS.includes(method)) return undefined
  let signal: AbortSignal | undefined
  return {
    method,
    url,
    headers: readableHeaders(req),
    get signal() {
      return (signal ??= signalOf(res))
    },
    hasBody: !BODILESS_METHODS.includes(method),
    async readBody(maxBytes) {
      if (!this.hasBody) return new Uint8Array(0)
      if (body instanceof Error) throw body
      if (!body) return readFrom(req, maxBytes)
      return body.length > maxBytes ? undefined : body
    },
    toRequest() {
      return toRequest(this, outer)
    },
  }
}
