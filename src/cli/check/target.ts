/**
 * What is checked, and whether it may be: loopback freely, any other host only where its operator has typed its name.
 *
 * @module
 */

import { BlockList, isIPv4 } from "node:net"

import { CommandError } from "../failure.ts"

/** Where the key directory is (docs/protocol.md §7). */
export const DIRECTORY_PATH = "/.well-known/sealwire"

/** Requests and handshakes of one check, at most. */
export const MAX_REQUESTS = 60

/** A route, as a client names it. */
export interface CheckedRoute {
  readonly method: string
  /** With query. */
  readonly path: string
}

/** A deployment, and what its operator says of it. */
export interface Target {
  /** Its origin, and nothing behind it. */
  readonly url: URL
  readonly isTls: boolean
  readonly isLoopback: boolean
  /** A sealed route that is safe to call. */
  readonly route: CheckedRoute | undefined
  /** Thumbprint of the identity key that clients pin. */
  readonly pin: string | undefined
  /** The highest `seq` that its operator knows to have been published. */
  readonly lowestSeq: number
  /** Requests a minute that the route is said to allow one source. */
  readonly limit: number | undefined
  /** Certificates, in PEM, that are trusted instead of the platform's. */
  readonly ca: string | undefined
}

/** A target as it was typed. */
export interface TargetOptions {
  readonly iOperate?: string
  readonly route?: string
  readonly pin?: string
  readonly seq?: number
  readonly limit?: number
}

const usage = (message: string): CommandError => new CommandError("ERR_USAGE", message)

/** 127.0.0.0/8, `::1` and the plain name `localhost`: what is below that name may be resolved elsewhere. */
function isLoopbackHost(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "[::1]") return true
  const loopback = new BlockList()
  loopback.addSubnet("127.0.0.0", 8, "ipv4")
  return isIPv4(hostname) && loopback.check(hostname)
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw usage(`the URL must be one such as https://api.example.com, not "${text}"`)
  }
  const isOrigin = url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password
  if (!isOrigin) throw usage("the URL must be an origin alone: --route has the path, and nobody logs in")
  return url
}

const ROUTE = /^(?:(GET|HEAD|POST|PUT|PATCH|DELETE) )?(\/\S*)$/

function readRoute(text: string | undefined, { origin }: URL): CheckedRoute | undefined {
  if (text === undefined) return undefined
  const [, method = "GET", path] = ROUTE.exec(text) ?? []
  const url = path !== undefined && URL.canParse(path, origin) ? new URL(path, origin) : undefined
  // "//other.example/a" is a path to nobody but a URL parser
  if (url?.origin !== origin || url.hash !== "") {
    throw usage(`--route must be a path, or a method and a path, such as "GET /account", not "${text}"`)
  }
  return { method, path: url.pathname + url.search }
}

/** Refuses a host that is not this machine, unless it was typed once more, in full. */
function assertOperated({ host }: URL, isLoopback: boolean, iOperate: string | undefined): void {
  if (iOperate === undefined && isLoopback) return
  if (iOperate === undefined) {
    throw usage(`${host} is not this machine: if you operate it, add --i-operate ${host}`)
  }
  if (iOperate !== host) throw usage(`--i-operate must be the URL's host in full, ${host}, not "${iOperate}"`)
}

/**
 * Reads what is to be checked.
 *
 * @throws `CommandError` `ERR_USAGE`.
 */
export function readTarget(text: string, options: TargetOptions): Target {
  const url = readUrl(text)
  const isLoopback = isLoopbackHost(url.hostname)
  assertOperated(url, isLoopback, options.iOperate)
  if (options.pin !== undefined && !/^[\w-]{43}$/.test(options.pin)) {
    throw usage("--pin must be a thumbprint of 43 characters")
  }
  if (options.limit !== undefined && options.route === undefined) {
    throw usage("--limit needs --route: limits are a route's")
  }
  // whatever else is sent: the plan has the exact number
  if (options.limit !== undefined && options.limit >= MAX_REQUESTS) {
    throw usage(`--limit must be below ${MAX_REQUESTS}, the most requests of a check, not ${options.limit}`)
  }
  return {
    url,
    isTls: url.protocol === "https:",
    isLoopback,
    route: readRoute(options.route, url),
    pin: options.pin,
    lowestSeq: options.seq ?? 0,
    limit: options.limit,
    ca: undefined,
  }
}
