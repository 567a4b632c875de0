/**
 * A handler's response, sealed: the reply as body or header, or the reply and frames for a long or open-ended body. docs/protocol.md §8.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { exportSecret } from "../envelope/exporter.ts"
import type { Received } from "../envelope/receive.ts"
import { sealFrames } from "../frames/byte-stream.ts"
import { FrameSealer } from "../frames/frame.ts"
import { type HeaderPair, isInnerHeader, type ResponseMessage, serializeResponse } from "../http/message.ts"
import { HeaderMap } from "../http/header-map.ts"
import { type OuterResponse, webResponse } from "../http/outer-response.ts"
import { plainProblem } from "../http/problem.ts"
import {
  ENVELOPE_HEADER,
  ENVELOPE_TYPE,
  FIELDS_TYPE,
  hasNoBody,
  MAX_HEADER_CHARACTERS,
  REQUEST_ID_HEADER,
  STREAM_TYPE,
} from "../http/wire.ts"
import { readStart } from "./body-start.ts"

/** How responses are sealed. */
export interface Sealing {
  /** Longest body that goes out as one envelope. */
  readonly streamAboveBytes: number
  /** Longest wait for the end of such a body. */
  readonly streamAfterMs: number
  /** Further headers that stand outside as well. */
  readonly outerResponseHeaders: readonly string[]
}

/** Headers that stand outside as well as inside (§8), besides `access-control-*`. */
const OUTER_TOO: ReadonlySet<string> = new Set([
  "content-security-policy",
  "cross-origin-embedder-policy",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "origin-agent-cluster",
  "permissions-policy",
  "referrer-policy",
  "retry-after",
  "strict-transport-security",
  "vary",
  "x-content-type-options",
  "x-frame-options",
  "x-xss-protection",
])

const isOuterToo = (name: string): boolean => OUTER_TOO.has(name) || name.startsWith("access-control-")

function outerHeadersOf(inner: readonly HeaderPair[], { outerResponseHeaders }: Sealing): HeaderMap {
  const outer = new HeaderMap()
  for (const [name, value] of inner) {
    if (isOuterToo(name) || outerResponseHeaders.includes(name)) outer.set(name, value)
  }
  outer.set("cache-control", "no-store")
  return outer
}

/** What goes inside: all that is not of one connection, and no cookies, which are for the browser. */
function innerHeadersOf({ headers }: Response, requestId: string): HeaderPair[] {
  const inner = new HeaderMap([
    ["cache-control", "no-store"],
    [REQUEST_ID_HEADER, requestId],
  ])
  for (const [name, value] of headers) {
    if (isInnerHeader(name) && name !== "set-cookie") inner.set(name, value)
  }
  return inner.sorted()
}

/** A short message, sealed. */
export async function sealMessage(
  received: Received,
  message: ResponseMessage,
  method: string,
  sealing: Sealing,
): Promise<OuterResponse> {
  const { envelope } = await received.reply(serializeResponse(message))
  const { status } = message
  const headers = outerHeadersOf(message.headers, sealing)
  if (method !== "HEAD" && !hasNoBody(status)) {
    headers.set("content-type", ENVELOPE_TYPE)
    return { status, headers, text: envelope }
  }
  if (envelope.length > MAX_HEADER_CHARACTERS) {
    return sealMessage(received, plainProblem(500, "The answer does not fit a header"), "GET", sealing)
  }
  headers.set(ENVELOPE_HEADER, envelope)
  return { status, headers, text: null }
}

/** The reply with the head, then the body in frames under the reply's own secret (§9). */
async function streamOf(end: EnvelopeEnd, body: ReadableStream<Uint8Array>): Promise<ReadableStream<Bytes>> {
  const { backend, envelope, seed } = end
  const secret = await exportSecret(backend, encodeAscii(envelope), seed)
  const reader = sealFrames(body, new FrameSealer(backend, secret, "s2c")).getReader()
  return new ReadableStream<Bytes>({
    start(controller) {
      controller.enqueue(encodeAscii(`${envelope}\n`))
    },
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** What a handler answered: whole, or a head with the body as a stream. */
export interface Answer {
  readonly message: ResponseMessage
  readonly rest: ReadableStream<Uint8Array> | undefined
  /** For the browser, so outside only (§8). */
  readonly cookies: readonly string[]
}

/** Reads a handler's response, as far as it can be sealed whole. */
export async function readAnswer(
  response: Response,
  requestId: string,
  method: string,
  sealing: Sealing,
): Promise<Answer> {
  // Response.error() has status 0
  const status = response.status >= 200 ? response.status : 500
  const headers = innerHeadersOf(response, requestId)
  const cookies = response.headers.getSetCookie()
  if (method === "HEAD" || hasNoBody(status)) {
    response.body?.cancel().catch(() => undefined)
    return { message: { status, headers, body: new Uint8Array(0) }, rest: undefined, cookies }
  }
  const { start, rest } = await readStart(response.body, sealing.streamAboveBytes, sealing.streamAfterMs)
  return { message: { status, headers, body: concat(...start) }, rest, cookies }
}

/** The same answer with headers added, unless it has its own of that name. */
export function withHeaders(answer: Answer, added: readonly HeaderPair[]): Answer {
  const { message } = answer
  const more = added.filter(([name]) => !message.headers.some(([own]) => own === name))
  return { ...answer, message: { ...message, headers: [...message.headers, ...more] } }
}

/** Seals what a handler answered. */
export async function sealAnswer(
  received: Received,
  { message, rest, cookies }: Answer,
  method: string,
  sealing: Sealing,
): Promise<OuterResponse | Response> {
  const sealed = rest
    ? await sealStream(received, message, rest, sealing)
    : await sealMessage(received, message, method, sealing)
  return withCookies(sealed, cookies)
}

/** The same for an answer whose document is sealed already. */
export function answerDocument(
  document: string,
  { message, cookies }: Answer,
  sealing: Sealing,
): OuterResponse | Response {
  const headers = outerHeadersOf(message.headers, sealing)
  headers.set("content-type", FIELDS_TYPE)
  return withCookies(new Response(document, { status: message.status, headers: [...headers] }), cookies)
}

function withCookies(sealed: OuterResponse | Response, cookies: readonly string[]): OuterResponse | Response {
  if (cookies.length === 0) return sealed
  const response = webResponse(sealed)
  for (const cookie of cookies) response.headers.append("set-cookie", cookie)
  return response
}

async function sealStream(
  received: Received,
  message: ResponseMessage,
  body: ReadableStream<Uint8Array>,
  sealing: Sealing,
): Promise<Response> {
  const end = await received.reply(serializeResponse(message))
  const headers = outerHeadersOf(message.headers, sealing)
  headers.set("content-type", STREAM_TYPE)
  return new Response(await streamOf(end, body), { status: message.status, headers: [...headers] })
}
