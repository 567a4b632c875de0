/**
 * Where a request comes from, and whether it came over TLS: what the socket says, and what proxies say that the operator has named.
 * Anyone can write `x-forwarded-for`; it is read from the right, and only as far as each hop is trusted.
 *
 * @module
 */

import ipaddr from "ipaddr.js"

import { describe } from "../base/text.ts"
import { UNIX_PEER } from "../http/socket-peer.ts"
import type { OuterRequest } from "./outer-request.ts"

/** What is known of the connection that a request came on. A Web `Request` does not tell it: adapters do. */
export interface Peer {
  /** Address of the other end, without a port; `"unix"` for a Unix socket's. */
  readonly address?: string | undefined
  /** Whether the connection is TLS. Default: whether the request's URL begins with `https:`. */
  readonly encrypted?: boolean | undefined
}

/** Where a request comes from. */
export interface Source {
  /** The client's network: an IPv4 address, the /64 of an IPv6 one, since a host has all of that, or `"unix"`. Undefined: nobody told. */
  readonly network: string | undefined
  /** Whether the client spoke TLS to the first trusted hop. */
  readonly isEncrypted: boolean
  /** Whether the client is on this machine, and no proxy that nobody has named stands between. */
  readonly isLoopback: boolean
}

/** Tells the source of a request. */
export type SourceOf = (request: Pick<OuterRequest, "url" | "headers">, peer: Peer | undefined) => Source

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = [Address, number]
/** One end of a connection. */
type Hop = Address | typeof UNIX_PEER

const FORWARDED_FOR = "x-forwarded-for"
const FORWARDED_PROTO = "x-forwarded-proto"

/** More hops are nobody's: the rest of a list that long is not looked at. */
const MAX_HOPS = 32

const MAX_KNOWN_HOPS = 1024

/** Some proxies write a port behind the address. */
const WITH_PORT = /^(?:\[([\da-f:.]+)\]|(\d+(?:\.\d+){3}))(?::\d{1,5})?$/i

/** Strict: `127.1` and `0x7f000001` are no addresses here. An IPv4 address that is written as IPv6 is one of IPv4. */
function parseAddress(text: string): Address | undefined {
  const [, six, four] = WITH_PORT.exec(text) ?? []
  const bare = six ?? four ?? text
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare)
  return bare.includes(":") && ipaddr.IPv6.isValid(bare) ? ipaddr.process(bare) : undefined
}

/** An IPv4 address, the /64 that an IPv6 one is in, or `"unix"`. */
function networkOf(address: Hop): string {
  if (address === UNIX_PEER) return address
  if (address instanceof ipaddr.IPv4) return address.toString()
  const high = address.toByteArray().slice(0, 8)
  return `${new ipaddr.IPv6([...high, ...high.map(() => 0)]).toString()}/64`
}

const isLocal = (hop: Hop): boolean => hop === UNIX_PEER || hop.range() === "loopback"

/** A hop, and what follows from it alone. */
interface KnownHop {
  readonly hop: Hop
  readonly network: string
  readonly isLocal: boolean
}

/** Reads what an adapter tells: an address is told again with each request on a connection. */
function hopReader(): (told?: string) => KnownHop | undefined {
  const known = new Map<string, KnownHop | undefined>()
  return (told = "") => {
    if (!known.has(told)) {
      // what was forwarded is an address or nothing
      const hop = told === UNIX_PEER ? told : parseAddress(told)
      if (known.size === MAX_KNOWN_HOPS) known.clear()
      known.set(told, hop && { hop, network: networkOf(hop), isLocal: isLocal(hop) })
    }
    return known.get(told)
  }
}

const isIn = (address: Address, [network, bits]: Range): boolean =>
  address.kind() === network.kind() && address.match(network, bits)

/** `localhost`, names below it, and loopback addresses: where plain HTTP leaves no machine. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "")
  return /^(?:[\w-]+\.)*localhost$/i.test(bare) || parseAddress(bare)?.range() === "loopback"
}

function readRange(text: unknown): Range {
  const [address = "", bits, ...more] = typeof text === "string" ? text.split("/") : []
  const parsed = parseAddress(address)
  const most = parsed?.kind() === "ipv4" ? 32 : 128
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN
  if (!parsed || more.length > 0 || !(length >= 0 && length <= most)) {
    const came = typeof text === "string" ? `"${text}"` : describe(text)
    throw new TypeError(
      `options.trustedProxies must hold addresses and networks such as "10.0.0.0/8" and "::1", or "unix", not ${came}`,
    )
  }
  return [parsed, length]
}

/** The client's address, and how many trusted hops are between it and here. */
function walk(
  socket: Hop,
  forwarded: string,
  isTrusted: (each: Hop) => boolean,
): [client: Hop, hops: number] {
  let client = socket
  let hops = 0
  const said = forwarded.split(",").slice(-MAX_HOPS).reverse()
  for (const text of said) {
    if (!isTrusted(client)) break
    const next = parseAddress(text.trim())
    // what is no address was not written by a proxy that is worth its trust: the last known hop is the source
    if (!next) break
    client = next
    hops++
  }
  return [client, hops]
}

/** What the outermost trusted proxy says of its own connection; `false` where none says anything. */
function saysHttps(proto: string, hops: number): boolean {
  const said = proto.split(",")
  return said[Math.max(0, said.length - Math.max(1, hops))]?.trim().toLowerCase() === "https"
}

/**
 * Reads the option `trustedProxies`.
 *
 * @throws `TypeError` naming what is no network.
 */
export function sourceReader(trustedProxies: readonly string[]): SourceOf {
  if (!Array.isArray(trustedProxies)) {
    throw new TypeError(
      `options.trustedProxies must be an array of networks, not ${describe(trustedProxies)}`,
    )
  }
  const isUnixTrusted = trustedProxies.includes(UNIX_PEER)
  const ranges = trustedProxies.filter((each) => each !== UNIX_PEER).map(readRange)
  const isTrusted = (hop: Hop): boolean =>
    hop === UNIX_PEER ? isUnixTrusted : ranges.some((range) => isIn(hop, range))
  const hopOf = hopReader()

  return ({ url: { protocol, hostname }, headers }, peer) => {
    const isEncrypted = peer?.encrypted ?? protocol === "https:"
    const socket = hopOf(peer?.address)
    // without an address the host must do: a page that is reached over plain HTTP cannot choose it
    if (!socket) return { network: undefined, isEncrypted, isLoopback: isLoopbackHost(hostname) }
    if (isTrusted(socket.hop)) {
      const [client, hops] = walk(socket.hop, headers.get(FORWARDED_FOR) ?? "", isTrusted)
      const isSecure = saysHttps(headers.get(FORWARDED_PROTO) ?? "", hops)
      return { network: networkOf(client), isEncrypted: isSecure, isLoopback: isLocal(client) }
    }
    const isForwarded = headers.has(FORWARDED_FOR) || headers.has(FORWARDED_PROTO)
    return { network: socket.network, isEncrypted, isLoopback: socket.isLocal && !isForwarded }
  }
}
