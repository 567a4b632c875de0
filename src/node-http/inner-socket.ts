/**
 * The two ends of a connection inside this process: one for Node's server, one for Node's client.
 *
 * @module
 */

import type { IncomingMessage } from "node:http"
import { type Duplex, duplexPair } from "node:stream"

/** Of the connection that the sealed request came on: what frameworks tell of a peer. */
const TOLD = [
  "remoteAddress",
  "remoteFamily",
  "remotePort",
  "localAddress",
  "localPort",
  "localFamily",
] as const
/** Settings of a connection that handlers change, such as for server-sent events. */
const SETTINGS = ["setTimeout", "setNoDelay", "setKeepAlive", "ref", "unref"] as const

/** Makes the server's end look like the connection that the sealed request came on. */
function dress(end: Duplex, { socket }: IncomingMessage, isSecure: boolean): void {
  const told = TOLD.map((name) => [name, { get: () => socket[name] }])
  const settings = SETTINGS.map((name) => {
    const change = socket[name].bind(socket) as (...values: unknown[]) => unknown
    const value = (...values: unknown[]): Duplex => {
      change(...values)
      return end
    }
    return [name, { value }]
  })
  Object.defineProperties(end, Object.fromEntries([...told, ...settings]) as PropertyDescriptorMap)
  // what `req.protocol` of frameworks looks at
  Object.defineProperty(end, "encrypted", { value: isSecure })
}

/** Both ends of a new connection; when one is destroyed, so is the other. */
export function innerConnection(
  outer: IncomingMessage,
  isSecure: boolean,
): { server: Duplex; client: Duplex } {
  const [server, client] = duplexPair()
  server.once("close", () => client.destroy())
  client.once("close", () => server.destroy())
  dress(server, outer, isSecure)
  return { server, client }
}
