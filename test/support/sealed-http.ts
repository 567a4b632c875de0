import { backend } from "#backend"

import { replyReader } from "../../src/envelope/reply.ts"
import { sealTo } from "../../src/envelope/seal.ts"
import { exportSecret } from "../../src/envelope/exporter.ts"
import type { Fresh } from "../../src/envelope/write.ts"
import { encodeAscii } from "../../src/base/text.ts"
import { openFrames } from "../../src/frames/byte-stream.ts"
import { FrameOpener } from "../../src/frames/frame.ts"
import { type HeaderPair, parseResponse, serializeRequest } from "../../src/http/message.ts"
import { httpContext } from "../../src/http/wire.ts"
import {
  createReplayGuard,
  generateKeyPair,
  memoryStore,
  type PrivateKey,
  type SigningKey,
} from "../../src/index.ts"
import { createEndpoint, type Endpoint, type EndpointOptions, type Handler } from "../../src/server.ts"

export const ORIGIN = "https://api.example.com"

/** A key of this process, made once: the restart rule lets it through at once. */
let pair: Promise<PrivateKey> | undefined
export async function serverKey(): Promise<PrivateKey> {
  pair ??= generateKeyPair({ modulusBits: 2048 }).then(({ privateKey }) => privateKey)
  return pair
}

/** A guard whose store has been there for a long time. */
export const freshGuard = (): ReturnType<typeof createReplayGuard> =>
  createReplayGuard({ store: memoryStore({ dangerouslyForgetOnRestart: true }) })

export async function endpointWith(options: Partial<EndpointOptions> = {}): Promise<Endpoint> {
  return createEndpoint({
    origin: ORIGIN,
    keys: await serverKey(),
    replay: freshGuard(),
    routes: { "/**": "medium" },
    // a test sends what it wants; those of the limits say how many
    limits: false,
    ...options,
  })
}

/** What a request is to say inside, and how it goes out. */
export interface Draft {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly HeaderPair[]
  readonly body?: string
  readonly context?: string
  readonly signWith?: SigningKey
  readonly fresh?: Partial<Fresh>
  readonly outer?: {
    readonly method?: string
    readonly path?: string
    readonly headers?: Record<string, string>
  }
}

/** An answer, opened; `body` is undefined where it was not sealed. */
export interface Answered {
  readonly outer: Response
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A sealed request, and the way to read its answer. */
export interface Sealed {
  readonly request: Request
  readonly envelope: string
  /** The same request again, as somebody on the way would send it. */
  again(): Request
  read(response: Response): Promise<Answered>
}

const encoder = new TextEncoder()

/** Seals a request by the parts of the protocol, with nothing of the client in it. */
export async function sealedRequest(draft: Draft = {}): Promise<Sealed> {
  const { method = "POST", path = "/transfers", headers = [], body = method === "GET" ? "" : "{}" } = draft
  const { context = httpContext(ORIGIN), signWith, outer = {} } = draft
  const message = serializeRequest({ headers, method, path, body: encoder.encode(body) })
  const to = (await serverKey()).publicKey
  const end = await sealTo(message, { to, context, ...(signWith && { signWith }) }, draft.fresh)
  const { envelope } = end
  const read = await replyReader(end)
  const inHeader = body === "" && (outer.method ?? method) !== "POST"
  const request = (): Request =>
    new Request(new URL(outer.path ?? path.split("?")[0] ?? "", ORIGIN), {
      method: outer.method ?? method,
      headers: {
        ...(inHeader ? { sealwire: envelope } : { "content-type": "application/jose" }),
        ...outer.headers,
      },
      body: inHeader ? null : envelope,
    })
  return {
    request: request(),
    envelope,
    again: request,
    async read(response) {
      const bytes = new Uint8Array(await response.arrayBuffer())
      const text = new TextDecoder().decode(bytes)
      const isStream = response.headers.get("content-type") === "application/sealwire-stream"
      const reply = isStream ? text.slice(0, text.indexOf("\n")) : (response.headers.get("sealwire") ?? text)
      const authentic = await read(reply)
      const answer = parseResponse(authentic.message)
      if (!answer) throw new Error("the reply is no response")
      const answered = {
        outer: response,
        status: answer.status,
        headers: new Headers(answer.headers.map(([name, value]): [string, string] => [name, value])),
      }
      if (!isStream) return { ...answered, text: new TextDecoder().decode(answer.body) }
      const secret = await exportSecret(backend, encodeAscii(reply), authentic.seed)
      const frames = new Blob([bytes.subarray(reply.length + 1)]).stream()
      const opened = openFrames(frames, new FrameOpener(backend, secret, "s2c"))
      return { ...answered, text: await new Response(opened).text() }
    },
  }
}

/** Sends a draft to an endpoint and opens the answer. */
export async function exchange(endpoint: Endpoint, draft: Draft, next: Handler): Promise<Answered> {
  const sealed = await sealedRequest(draft)
  return sealed.read(await endpoint.handle(sealed.request, next))
}
