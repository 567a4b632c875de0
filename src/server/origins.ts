/**
 * Which pages may use an endpoint: CORS by an exact list, and refusal of what other sites make a browser send. A page's origin is
 * told by the browser; who is no browser needs none of this, and is not kept out by it.
 *
 * @module
 */

import { describe } from "../base/text.ts"
import { DIRECTORY_PATH, ENVELOPE_HEADER, isSessionsPath, mediaType, readOrigin } from "../http/wire.ts"
import { looksSealed } from "./envelope-of.ts"
import type { OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"
import type { Level, RouteOf } from "./routes.ts"

/** What pages may do. */
export interface Origins {
  /** The answer to a preflight; undefined for what is none. */
  preflight(request: OuterRequest): Response | undefined
  /** Whether a request is one that another site made a browser send. */
  isForeign(request: OuterRequest, level: Level | undefined): boolean
  /** Says on a response which page may read it. */
  allow(request: OuterRequest, headers: Pick<Headers, "append" | "delete" | "set">): void
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const
const SAFE_METHODS: readonly string[] = ["GET", "HEAD"]
const ALLOWED_HEADERS = ["content-type", ENVELOPE_HEADER]
const EXPOSED_HEADERS = [ENVELOPE_HEADER, "retry-after"].join(", ")
/** Browsers keep it no longer: Chromium two hours. */
const PREFLIGHT_SECONDS = 7200

/** What a form of another site can send without a preflight (Fetch §2.2.2), and what has no type at all. */
const FORM_TYPES: readonly string[] = [
  "",
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
]

function readOrigins(origins: readonly string[] | undefined): readonly string[] {
  if (origins === undefined) return []
  if (!Array.isArray(origins)) {
    throw new TypeError(`options.origins must be an array of origins, not ${describe(origins)}`)
  }
  // "*" and "null" are no origins, and so are refused
  const read = origins.map((each: string) => readOrigin(each, "options.origins"))
  const pattern = read.find((each) => each.includes("*"))
  if (pattern === undefined) return read
  throw new TypeError(`options.origins must be an origin each, and "${pattern}" would be many: name them`)
}

/** The methods that a path takes. */
function methodsFor(path: string, routeOf: RouteOf): readonly string[] {
  if (path === DIRECTORY_PATH) return SAFE_METHODS
  if (isSessionsPath(path)) return ["POST", "DELETE"]
  return METHODS.filter((method) => routeOf(method, path) !== undefined)
}

const listOf = (text: string | null): string[] =>
  (text ?? "").split(",").flatMap((each) => each.trim().toLowerCase() || [])

/** Whether a browser would have added what proves who its user is. */
const isAmbient = ({ headers }: OuterRequest): boolean =>
  headers.has("cookie") || headers.has("authorization")

/** Whether a request has come open, and asks for nothing but an answer. */
const isHarmless = (request: OuterRequest, isOpen: boolean): boolean =>
  isOpen && [...SAFE_METHODS, "OPTIONS"].includes(request.method)

/** What browsers tell of a request without `Origin`; older ones tell nothing. */
function isCrossSite(request: OuterRequest, isOpen: boolean): boolean {
  const { headers } = request
  const site = headers.get("sec-fetch-site")
  if (site === "same-origin" || site === "none") return false
  if (site !== null) {
    // somebody has followed a link, or a neighbour shows a picture
    const isTolerable = site === "same-site" || headers.get("sec-fetch-mode") === "navigate"
    return !(isHarmless(request, isOpen) && isTolerable)
  }
  const isForm = FORM_TYPES.includes(mediaType(headers.get("content-type")))
  return isOpen && isForm && isAmbient(request) && !isHarmless(request, isOpen)
}

/** Options of what pages of other origins may do. */
export interface OriginsOptions {
  /**
   * Origins of the pages that may use this endpoint, besides its own, such as `"https://app.example.com"`: compared exactly. Given,
   * the endpoint answers preflights and sets the CORS headers. Default: none, and CORS is left to what stands around the endpoint.
   */
  readonly origins?: readonly string[]
  /** Whether pages of these origins may send the browser's cookies. Default: `false`. */
  readonly allowCredentials?: boolean
}

/** What pages may send, and where. */
interface Allowing {
  readonly ownOrigin: string
  readonly routeOf: RouteOf
  /** Request headers that pages may set, besides those of the protocol. */
  readonly requestHeaders: readonly string[]
}

/**
 * Reads the options `origins` and `allowCredentials`.
 *
 * @throws `TypeError` naming the option.
 */
export function createOrigins(options: OriginsOptions, allowing: Allowing): Origins {
  const { ownOrigin, routeOf, requestHeaders } = allowing
  const listed = readOrigins(options.origins)
  const decides = options.origins !== undefined
  const allowedHeaders = [...ALLOWED_HEADERS, ...requestHeaders]
  const isListed = (origin: string | null): origin is string => origin !== null && listed.includes(origin)

  return {
    preflight(request) {
      const { headers, method } = request
      const asked = headers.get("access-control-request-method")
      if (!decides || method !== "OPTIONS" || asked === null || !headers.has("origin")) return undefined
      const methods = methodsFor(request.url.pathname, routeOf)
      const wanted = listOf(headers.get("access-control-request-headers"))
      const isGood = isListed(headers.get("origin")) && methods.includes(asked)
      if (!isGood || !wanted.every((name) => allowedHeaders.includes(name))) throw new Refusal(403)
      return new Response(null, {
        status: 204,
        headers: {
          "access-control-allow-methods": methods.join(", "),
          "access-control-allow-headers": allowedHeaders.join(", "),
          "access-control-max-age": String(PREFLIGHT_SECONDS),
        },
      })
    },
    isForeign(request, level) {
      const isOpen = level === "low" && !looksSealed(request)
      const origin = request.headers.get("origin")
      if (origin === null) return isCrossSite(request, isOpen)
      // what a page may read of an open answer is for CORS to say, and so for those who do that here
      if (!decides && isHarmless(request, isOpen)) return false
      return origin !== ownOrigin && !isListed(origin)
    },
    allow(request, headers) {
      if (!decides) return
      const origin = request.headers.get("origin")
      headers.append("vary", "origin")
      headers.delete("access-control-allow-origin")
      headers.delete("access-control-allow-credentials")
      if (!isListed(origin)) return
      headers.set("access-control-allow-origin", origin)
      headers.append("access-control-expose-headers", EXPOSED_HEADERS)
      if (options.allowCredentials === true) headers.set("access-control-allow-credentials", "true")
    },
  }
}
