/**
 * One TLS handshake with chosen versions and suites, to see whether a server agrees. It is ended at once.
 *
 * @module
 */

import { connect as connectPlain, isIP, type Socket } from "node:net"
import { connect, type SecureVersion, type TLSSocket } from "node:tls"

import { reasonOf } from "../failure.ts"
import type { Target } from "./target.ts"

/** RFC 8446 §4.1.2, with one suite and no extension. An OpenSSL that cannot make an offer sends an alert of 7 bytes instead. */
const SMALLEST_OFFER_BYTES = 50

/** What the client end offers. */
export interface Offer {
  readonly version: SecureVersion
  /** Suites, as OpenSSL names them. */
  readonly suites: string
}

/** How a handshake ended. */
export type Handshake =
  | { readonly kind: "agreed"; readonly suite: string; readonly certificate: Certificate }
  /** The server has seen the offer, and does not want it. */
  | { readonly kind: "refused"; readonly reason: string }
  /** No offer was sent: this machine's OpenSSL cannot make it. */
  | { readonly kind: "cannot-offer"; readonly reason: string }
  /** No connection, or no answer in time. */
  | { readonly kind: "no-answer"; readonly reason: string }

/** What the server's certificate is worth to this machine. */
export interface Certificate {
  /** Why it is worth nothing; undefined where it is good. */
  readonly distrust: string | undefined
  readonly expires: string
}

function certificateOf(socket: TLSSocket): Certificate {
  const { authorizationError: error } = socket as { authorizationError?: Error | string | null }
  const distrust = error instanceof Error ? reasonOf(error) : (error ?? undefined)
  return {
    distrust: socket.authorized ? undefined : (distrust ?? "not trusted"),
    expires: socket.getPeerCertificate().valid_to,
  }
}

/** An IPv6 address without its brackets. */
const bareHost = (hostname: string): string => hostname.replace(/^\[|\]$/g, "")

function opened(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve)
    socket.on("error", reject)
  })
}

function secured(socket: Socket, { url, ca }: Target, { version, suites }: Offer): Promise<TLSSocket> {
  const host = bareHost(url.hostname)
  return new Promise((resolve, reject) => {
    const secure = connect({
      socket,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: version,
      maxVersion: version,
      // what is obsolete can be offered at this level only
      ciphers: `${suites}:@SECLEVEL=0`,
      rejectUnauthorized: false,
      ...(ca !== undefined && { ca }),
    })
    secure.once("secureConnect", () => {
      resolve(secure)
    })
    secure.on("error", reject)
    socket.once("close", () => {
      reject(new Error("the connection was closed"))
    })
  })
}

/** Offers a version and suites, and gives what became of it. */
export async function shakeHands(target: Target, offer: Offer, timeoutMs: number): Promise<Handshake> {
  const { hostname, port } = target.url
  const signal = AbortSignal.timeout(timeoutMs)
  const socket = connectPlain({ host: bareHost(hostname), port: Number(port || 443), signal })
  const failed = (kind: "no-answer" | "refused" | "cannot-offer", error: unknown): Handshake =>
    signal.aborted
      ? { kind: "no-answer", reason: `no answer within ${timeoutMs / 1000} s` }
      : { kind, reason: reasonOf(error) }
  try {
    await opened(socket)
  } catch (error) {
    return failed("no-answer", error)
  }
  try {
    const secure = await secured(socket, target, offer)
    return { kind: "agreed", suite: secure.getCipher().name, certificate: certificateOf(secure) }
  } catch (error) {
    return failed(socket.bytesWritten < SMALLEST_OFFER_BYTES ? "cannot-offer" : "refused", error)
  } finally {
    socket.destroy()
  }
}
