/**
 * A real server on the loopback interface, and a proxy before it that can do to messages what somebody on the way can.
 *
 * @module
 */

import { createServer, type IncomingHttpHeaders, request as send, type Server } from "node:http"
import type { AddressInfo } from "node:net"

import { getRequestListener } from "@hono/node-server"

/** An HTTP message as a proxy sees it. */
export interface WireRequest {
  readonly method: string
  /** With query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An answer as a proxy sees it; with `cutAfterBytes`, the connection ends there. */
export interface WireResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly cutAfterBytes?: number
}

/** Passes a request on to the server. */
export type Forward = (request: WireRequest) => Promise<WireResponse>

/** What the proxy does with a request; undefined ends the connection without an answer. */
export type Tamper = (request: WireRequest, forward: Forward) => Promise<WireResponse | undefined>

/** A server that listens. */
export interface Listening {
  readonly origin: string
  close(): Promise<void>
}

async function listen(server: Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

/** Serves a Web handler over `node:http`. */
export function serve(handler: (request: Request) => Promise<Response>): Promise<Listening> {
  const listener = getRequestListener(handler, { overrideGlobalObjects: false })
  return listen(
    createServer((request, response) => {
      void listener(request, response)
    }),
  )
}

const present = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))

/** Sends a message over a connection of its own, and takes the whole answer. */
function forwardTo(origin: string): Forward {
  return ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const outgoing = send(
        new URL(origin),
        { method, path, headers: present(headers), agent: false },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
          incoming.on("error", reject)
          incoming.on("end", () => {
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              body: Buffer.concat(chunks),
            })
          })
        },
      )
      outgoing.on("error", reject)
      outgoing.end(body)
    })
}

/** A proxy whose behaviour a test sets, request by request. */
export interface Proxy extends Listening {
  /** All that came, in order. */
  readonly seen: WireRequest[]
  tamper: Tamper
}

/** Starts a proxy; the server behind it is told afterwards, since it must know the proxy's origin. */
export async function startProxy(target: () => string): Promise<Proxy> {
  const seen: WireRequest[] = []
  const pass: Tamper = (request, forward) => forward(request)
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming
      const message = { method, path, headers: { ...headers, host: undefined }, body: Buffer.concat(chunks) }
      seen.push(message)
      proxy.tamper(message, forwardTo(target())).then(
        (answer) => {
          if (!answer) {
            incoming.socket.destroy()
            return
          }
          const { status, headers: answerHeaders, body, cutAfterBytes } = answer
          const length = cutAfterBytes === undefined ? {} : { "content-length": String(body.length) }
          outgoing.writeHead(status, { ...present(answerHeaders), ...length })
          if (cutAfterBytes === undefined) outgoing.end(body)
          else outgoing.write(body.subarray(0, cutAfterBytes), () => incoming.socket.destroy())
        },
        () => incoming.socket.destroy(),
      )
    })
  })
  const proxy: Proxy = { ...(await listen(server)), seen, tamper: pass }
  return proxy
}
