/**
 * What the caller asks for, as one operation: the inner request, the same in every attempt. docs/protocol.md §8.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { type HeaderPair, isInnerHeader, serializeRequest } from "../http/message.ts"
import type { PartedRequest } from "../http/parted-request.ts"
import { ENVELOPE_HEADER, IDEMPOTENCY_HEADER, REQUEST_ID_HEADER } from "../http/wire.ts"
import { Deadline } from "./deadline.ts"

/** One call of `fetch`. */
export interface Operation {
  /** As the caller named it, with query. */
  readonly url: URL
  readonly method: string
  readonly requestId: string
  /** The inner headers. */
  readonly headers: ReadonlyMap<string, string>
  /** M: the same bytes in each attempt. */
  readonly message: Bytes
  readonly hasBody: boolean
  /** The same, where its fields alone are sealed. */
  readonly parted: PartedRequest | undefined
  readonly signal: AbortSignal | undefined
}

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS", "TRACE"]
/** Characters of a path with query that the other end takes. */
const MAX_PATH_CHARACTERS = 8192

type Input = string | URL | Request

const isRequest = (input: Input): input is Request => typeof input === "object" && "url" in input

function innerHeaders(request: Request, generateId: () => string): Map<string, string> {
  const headers = new Map([...request.headers].filter(([name]) => isInnerHeader(name)))
  if (headers.has(ENVELOPE_HEADER)) {
    throw new TypeError(`init.headers must not have "${ENVELOPE_HEADER}": it carries the envelope`)
  }
  if (!headers.has(REQUEST_ID_HEADER)) headers.set(REQUEST_ID_HEADER, generateId())
  if (!SAFE_METHODS.includes(request.method) && !headers.has(IDEMPOTENCY_HEADER)) {
    headers.set(IDEMPOTENCY_HEADER, generateId())
  }
  return headers
}

/** How operations are made. */
export interface OperationTerms {
  readonly baseUrl: URL
  readonly generateId: () => string
  /** For reading the body, which may be a stream. */
  readonly budgetMs: number
  readonly part: (message: Bytes) => Promise<PartedRequest | undefined> | undefined
}

/**
 * What the platform makes of the arguments; a body that is text comes beside it, since a `Request` would make a stream of that.
 * Where method or type are not members of `init` itself, or the method takes no body, all is left to the platform.
 */
function readArguments(input: Input, url: URL, init: RequestInit | undefined): [Request, text?: string] {
  const { body, ...rest } = init ?? {}
  if (typeof body === "string" && !isRequest(input)) {
    const request = new Request(url, rest)
    if (request.method.startsWith("P") && request.headers.has("content-type")) return [request, body]
  }
  return [new Request(isRequest(input) ? input : url, init)]
}

async function readBody(request: Request, budgetMs: number, signal: AbortSignal | undefined): Promise<Bytes> {
  const deadline = new Deadline(budgetMs, signal)
  try {
    return new Uint8Array(await deadline.wait(request.arrayBuffer()))
  } finally {
    deadline.end()
  }
}

/**
 * Reads the arguments of `fetch`.
 *
 * @throws `TypeError` for another origin, and for what the platform's `fetch` refuses, too; the reason of a signal that has
 *   aborted; `SealwireError` `ERR_TOO_LARGE` for a path above 8192 characters; what `part` throws.
 */
export async function readOperation(
  input: Input,
  init: RequestInit | undefined,
  { baseUrl, generateId, budgetMs, part }: OperationTerms,
): Promise<Operation> {
  const url = new URL(isRequest(input) ? input.url : input, baseUrl)
  if (url.origin !== baseUrl.origin) {
    throw new TypeError(`input must be a URL of ${baseUrl.origin}, not of ${url.origin}`)
  }
  const [request, text] = readArguments(input, url, init)
  const signal = (init?.signal === undefined && isRequest(input) ? input.signal : init?.signal) ?? undefined
  signal?.throwIfAborted()
  const { method } = request
  if (!/^[A-Z]+$/.test(method)) throw new TypeError(`init.method must be upper case, not "${method}"`)
  const headers = innerHeaders(request, generateId)
  const path = url.pathname + url.search
  if (path.length > MAX_PATH_CHARACTERS) {
    throw new SealwireError("ERR_TOO_LARGE", `the path is above ${MAX_PATH_CHARACTERS} characters`)
  }
  const body = text === undefined ? await readBody(request, budgetMs, signal) : new TextEncoder().encode(text)
  const pairs: HeaderPair[] = [...headers]
  const message = serializeRequest({ headers: pairs, method, path, body })
  return {
    url,
    method,
    requestId: headers.get(REQUEST_ID_HEADER) ?? "",
    headers,
    message,
    hasBody: body.length > 0,
    parted: await part(message),
    signal,
  }
}
