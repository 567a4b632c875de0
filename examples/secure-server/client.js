/** A client that trusts the example's certificate alone, and can ask from any address of the loopback network. */

import { once } from "node:events"
import { request } from "node:https"
import { buffer } from "node:stream/consumers"
import { connect } from "node:tls"

import { createClient } from "sealwire/client"

/** @typedef {{ url: string, pin: string, ca: string, from: string }} Server `from`: the address to ask from. */
/** @typedef {{ status: number, headers: [string, string][], body: Uint8Array<ArrayBuffer> }} Answer */

/**
 * Asks over a connection of its own, and shows the headers as they came.
 *
 * @param {Pick<Server, "ca" | "from">} server
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Answer>}
 */
export async function ask({ ca, from }, url, init) {
  const asked = new Request(url, init)
  const sent = Buffer.from(await asked.arrayBuffer())
  const outgoing = request(url, {
    ca,
    localAddress: from,
    agent: false,
    method: asked.method,
    headers: {
      ...Object.fromEntries(asked.headers),
      ...(sent.length > 0 && { "content-length": sent.length }),
    },
  }).end(sent)
  const [incoming] = /** @type {[import("node:http").IncomingMessage]} */ (await once(outgoing, "response"))
  const { statusCode: status = 0, rawHeaders } = incoming
  const names = rawHeaders.filter((_, at) => at % 2 === 0)
  return {
    status,
    headers: names.map((name, at) => [name.toLowerCase(), rawHeaders[2 * at + 1] ?? ""]),
    body: new Uint8Array(await buffer(incoming)),
  }
}

/**
 * A sealed `fetch`. With a certificate that the platform trusts, `createClient({ baseUrl, pins })` is all.
 *
 * @param {Server} server
 * @param {{ session?: boolean, onSend?: (url: string, init: RequestInit) => void }} [options] `onSend` sees what everyone on the way sees.
 */
export function sealedClient(server, { session = false, onSend } = {}) {
  return createClient({
    baseUrl: server.url,
    pins: [server.pin],
    session,
    retry: { attempts: 1 },
    async fetch(url, init) {
      onSend?.(url, init)
      const { status, headers, body } = await ask(server, url, init)
      return new Response(body.length > 0 ? body : null, { status, headers })
    },
  })
}

/**
 * The version of TLS that the server agrees to, or why it does not.
 *
 * @param {Pick<Server, "url" | "ca">} server
 * @param {import("node:tls").SecureVersion} version
 * @returns {Promise<string>}
 */
export function agreedTls({ url, ca }, version) {
  const { hostname: host, port } = new URL(url)
  // a client that would take anything, so that it is the server that refuses
  const lax = { minVersion: version, maxVersion: version, ciphers: "ALL:@SECLEVEL=0" }
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), ca, ...lax }, () => {
      resolve(socket.getProtocol() ?? "")
      socket.destroy()
    })
    socket.once("error", (/** @type {NodeJS.ErrnoException} */ { code = "" }) => resolve(code))
  })
}
