/**
 * Calls a Node listener with a Web request: through Node's own server and client, over a connection inside this process.
 *
 * So a listener gets a real `IncomingMessage` and `ServerResponse`, with everything that these do, and what it writes is read the way
 * any client would read it.
 *
 * @module
 */

import { createServer, type IncomingMessage, request as clientRequest, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

import { hasNoBody } from "../http/wire.ts"
import { innerConnection } from "./inner-socket.ts"
import { streamOf } from "./streams.ts"

/** What `http.createServer` takes. */
export type NodeListener = (req: IncomingMessage, res: ServerResponse) => unknown

/** Calls a listener with `inner`, which came inside `outer`, and gives what it answers. */
export type Dispatch = (inner: Request, outer: IncomingMessage, listener: NodeListener) => Promise<Response>

/** Of a response; a request's is bounded by Node's own limit, as on any connection. */
const MAX_RESPONSE_HEAD_BYTES = 1_048_576
const ALWAYS_WITH_LENGTH: readonly string[] = ["POST", "PUT", "PATCH"]

type Fail = (error: unknown) => void

interface Call {
  readonly listener: NodeListener
  readonly fail: Fail
}

function headersOf({ method, headers }: Request, url: URL, bodyLength: number): string[] {
  const raw = ["host", url.host]
  for (const [name, value] of headers) raw.push(name, value)
  if (bodyLength > 0 || ALWAYS_WITH_LENGTH.includes(method)) raw.push("content-length", String(bodyLength))
  return raw
}

function toResponse(incoming: IncomingMessage, method: string): Response {
  const { statusCode: status = 0, rawHeaders } = incoming
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "")
  }
  if (method !== "HEAD" && !hasNoBody(status)) {
    return new Response(
      streamOf(incoming, () => incoming.destroy()),
      { status, headers },
    )
  }
  incoming.resume()
  return new Response(null, { status, headers })
}

/** Asks the server at the other end of a connection, as any client would. */
function ask(inner: Request, body: Uint8Array, connect: (fail: Fail) => Duplex): Promise<Response> {
  const { method, signal } = inner
  const url = new URL(inner.url)
  return new Promise((resolve, reject) => {
    const fail: Fail = (error) => {
      reject(signal.aborted ? (signal.reason as Error) : error)
    }
    const request = clientRequest({
      createConnection: () => connect(fail),
      method,
      path: url.pathname + url.search,
      headers: headersOf(inner, url, body.length),
      maxHeaderSize: MAX_RESPONSE_HEAD_BYTES,
    })
    request.once("response", (incoming) => {
      try {
        resolve(toResponse(incoming, method))
      } catch (error) {
        fail(error)
        incoming.destroy()
      }
    })
    request.on("error", fail)
    request.once("close", () => {
      fail(new Error("the listener closed the connection without an answer"))
    })
    request.end(body)
  })
}

/** Destroys a connection when the signal is aborted. */
function endOn(signal: AbortSignal, connection: Duplex): void {
  const abort = (): void => void connection.destroy()
  signal.addEventListener("abort", abort, { once: true })
  connection.once("close", () => {
    signal.removeEventListener("abort", abort)
  })
}

/** Answers a head that Node does not take. Node would do so itself, but cut its answer off with the connection. */
function refuseHead({ code }: NodeJS.ErrnoException, connection: Duplex): void {
  if (!connection.writable) return
  const isLong = code === "HPE_HEADER_OVERFLOW"
  const status = isLong ? "431 Request Header Fields Too Large" : "400 Bad Request"
  connection.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
}

/** Creates what calls listeners. It listens nowhere and holds nothing open. */
export function createDispatch(): Dispatch {
  const calls = new WeakMap<object, Call>()
  const server = createServer((req, res) => {
    const call = calls.get(req.socket)
    const run = async (): Promise<unknown> => call?.listener(req, res)
    run().catch((error: unknown) => {
      call?.fail(error)
      res.destroy()
    })
  })
  server.on("clientError", refuseHead)
  return async (inner, outer, listener) => {
    const body = new Uint8Array(await inner.arrayBuffer())
    inner.signal.throwIfAborted()
    return ask(inner, body, (fail) => {
      const ends = innerConnection(outer, inner.url.startsWith("https:"))
      calls.set(ends.server, { listener, fail })
      endOn(inner.signal, ends.client)
      server.emit("connection", ends.server)
      return ends.client
    })
  }
}
