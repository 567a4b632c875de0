/**
 * An HTTP message inside an envelope: `u32(length of head) ‖ head ‖ body`, the head RFC 8785 JSON. docs/protocol.md §8.
 * Bytes ⇄ fields; a reader serializes again and compares, so there is one form only.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"

/** A name in lower case, and a value. */
export type HeaderPair = readonly [name: string, value: string]

/** A request, as the two ends see it. */
export interface RequestMessage {
  readonly headers: readonly HeaderPair[]
  /** Upper case, such as `"POST"`. */
  readonly method: string
  /** With query, without fragment, such as `"/transfers?draft=1"`. */
  readonly path: string
  readonly body: Bytes
}

/** An answer, as the two ends see it. */
export interface ResponseMessage {
  readonly headers: readonly HeaderPair[]
  /** 200 to 599. */
  readonly status: number
  readonly body: Bytes
}

/** What belongs to one connection and not to the message. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

/** RFC 9110 §5.6.2, in lower case. */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,256}$/
const METHOD = /^[A-Z]{1,32}$/
/** Visible ASCII without `#`: what a URL's path and query are made of. */
const PATH = /^\/[\x21\x22\x24-\x7e]{0,8191}$/

/** Whether a header may be part of a message. */
export function isInnerHeader(name: string): boolean {
  return NAME.test(name) && !CONNECTION_HEADERS.has(name)
}

/** A value as HTTP carries it: no CR, LF or NUL, and nothing that is not a byte. */
const isValue = (value: string): boolean => /^[^\0\r\n\u0100-\uffff]*$/.test(value)

function isPair(pair: unknown): pair is HeaderPair {
  if (!Array.isArray(pair) || pair.length !== 2) return false
  const [name, value] = pair as unknown[]
  return typeof name === "string" && isInnerHeader(name) && typeof value === "string" && isValue(value)
}

const isHeaders = (value: unknown): value is HeaderPair[] => Array.isArray(value) && value.every(isPair)

/** Writes a message whose head is known as text. */
export function joinMessage(head: string, body: Bytes): Bytes {
  const headBytes = encodeAscii(head)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, headBytes.length)
  return concat(length, headBytes, body)
}

/** The head of a request. */
// strings alone, and members in order: JSON.stringify writes RFC 8785 here
export const requestHead = ({ headers, method, path }: Omit<RequestMessage, "body">): string =>
  JSON.stringify({ headers, method, path })
/** The head of a response. */
export const responseHead = ({ headers, status }: Omit<ResponseMessage, "body">): string =>
  JSON.stringify({ headers, status })

/** Writes a request. */
export function serializeRequest(request: RequestMessage): Bytes {
  return joinMessage(requestHead(request), request.body)
}

/** Writes a response. */
export function serializeResponse(response: ResponseMessage): Bytes {
  return joinMessage(responseHead(response), response.body)
}

interface Parts {
  readonly text: string
  readonly head: Readonly<Record<string, unknown>>
  readonly body: Bytes
}

function parse(message: Bytes): Parts | undefined {
  if (message.length < 4) return undefined
  const length = new DataView(message.buffer, message.byteOffset).getUint32(0)
  if (length > message.length - 4) return undefined
  const text = decodeUtf8(message.subarray(4, 4 + length))
  if (text === undefined) return undefined
  try {
    const head: unknown = JSON.parse(text)
    if (typeof head !== "object" || head === null) return undefined
    return { text, head: head as Parts["head"], body: message.subarray(4 + length) }
  } catch {
    return undefined
  }
}

/** Reads a request; undefined for anything but its one form. */
export function parseRequest(message: Bytes): RequestMessage | undefined {
  const parts = parse(message)
  if (!parts) return undefined
  const { headers, method, path } = parts.head
  if (!isHeaders(headers) || typeof method !== "string" || typeof path !== "string") return undefined
  if (!METHOD.test(method) || !PATH.test(path)) return undefined
  return requestHead({ headers, method, path }) === parts.text
    ? { headers, method, path, body: parts.body }
    : undefined
}

/** Reads a response; undefined for anything but its one form. */
export function parseResponse(message: Bytes): ResponseMessage | undefined {
  const parts = parse(message)
  if (!parts) return undefined
  const { headers, status } = parts.head
  if (!isHeaders(headers) || typeof status !== "number") return undefined
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined
  return responseHead({ headers, status }) === parts.text ? { headers, status, body: parts.body } : undefined
}
