/** Between node:http and Web-standard requests and responses. */

import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

/** @typedef {import("node:http").IncomingMessage} Incoming */
/** @typedef {import("node:http").ServerResponse} Outgoing */

/** @param {Incoming} incoming */
function toRequest(incoming) {
  const { method = "GET", url = "/", rawHeaders } = incoming
  /** @type {[string, string][]} */
  const headers = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.push([rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""])
  const hasBody = method !== "GET" && method !== "HEAD"
  const body = /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(incoming))
  // joined, not resolved: "//elsewhere" is a path here, and "http://elsewhere" no URL at all
  return new Request(`http://host${url}`, { method, headers, ...(hasBody ? { body, duplex: "half" } : {}) })
}

/**
 * @param {Response} response
 * @param {Outgoing} outgoing
 */
async function send(response, outgoing) {
  const { status, headers, body } = response
  outgoing.statusCode = status
  for (const [name, value] of headers) if (name !== "set-cookie") outgoing.setHeader(name, value)
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies)
  if (!body) outgoing.end()
  else
    await pipeline(Readable.fromWeb(/** @type {import("node:stream/web").ReadableStream} */ (body)), outgoing)
}

/**
 * A listener for the event `request` of node:http.
 *
 * @param {import("sealwire/server").Endpoint} endpoint
 * @param {(request: Request) => Promise<Response>} handler
 */
export function createListener(endpoint, handler) {
  /** @param {Incoming} incoming @param {Outgoing} outgoing */
  async function respond(incoming, outgoing) {
    /** @type {Request} */
    let request
    try {
      request = toRequest(incoming)
    } catch {
      outgoing.writeHead(400).end()
      return
    }
    await send(await endpoint.handle(request, handler), outgoing)
  }

  /** @param {Incoming} incoming @param {Outgoing} outgoing */
  return (incoming, outgoing) => {
    // what fails here is the connection: nobody is left to tell
    respond(incoming, outgoing).catch(() => outgoing.destroy())
  }
}
