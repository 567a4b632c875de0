/**
 * The wire of a check: one connection for each request, to the checked host alone. No redirect is followed, an answer is read up to a
 * cap, and everything ends in time. A certificate that nobody vouches for is reported by its own row, and stops nothing: nothing
 * secret is sent.
 *
 * @module
 */

import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"

import { reasonOf } from "../failure.ts"
import { type Handshake, type Offer, shakeHands } from "./handshake.ts"
import type { Target } from "./target.ts"

/** For one request with its answer, or one handshake. */
export const TIMEOUT_MS = 10_000
/** Largest body of an answer: a directory of a hundred large keys fits. */
export const MAX_ANSWER_BYTES: number = 256 * 1024

/** For who reads the server's log. */
const SELF = { "user-agent": "sealwire-check" }

/** A request, as it goes out. */
export interface WireRequest {
  readonly method: string
  /** With query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** What came back. */
export interface Reply {
  /** 200 to 599. */
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Nothing came back that could be judged. */
export class NoAnswer extends Error {}

/** Sends requests. */
export interface Wire {
  /** @throws {@link NoAnswer} */
  send(request: WireRequest): Promise<Reply>
  shakeHands(offer: Offer): Promise<Handshake>
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) throw new NoAnswer(`more than ${MAX_ANSWER_BYTES} bytes came back`)
  }
  return Buffer.concat(chunks)
}

async function readReply(incoming: IncomingMessage): Promise<Reply> {
  const { statusCode: status = 0, headersDistinct } = incoming
  if (status < 200 || status > 599) throw new NoAnswer(`status ${status} came back`)
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) headers.append(name, value)
  }
  return { status, headers, body: await readBody(incoming) }
}

function answerTo(sending: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sending.on("response", resolve)
    // stays: what fails after the answer has begun is told by the answer
    sending.on("error", reject)
    sending.end(body)
  })
}

async function send(
  { url, isTls, ca }: Target,
  { method, path, headers, body }: WireRequest,
  timeoutMs: number,
): Promise<Reply> {
  const signal = AbortSignal.timeout(timeoutMs)
  const options = { method, path, headers: { ...SELF, ...headers }, signal, agent: false }
  const sending = isTls
    ? httpsRequest(url, { ...options, rejectUnauthorized: false, ...(ca !== undefined && { ca }) })
    : httpRequest(url, options)
  try {
    return await readReply(await answerTo(sending, body))
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    throw new NoAnswer(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error))
  } finally {
    sending.destroy()
  }
}

/** The wire to a target. */
export function openWire(target: Target, timeoutMs: number = TIMEOUT_MS): Wire {
  return {
    send: (request) => send(target, request, timeoutMs),
    shakeHands: (offer) => shakeHands(target, offer, timeoutMs),
  }
}

/** A wire that counts what goes over it, and lets no more pass than was announced. */
export interface CountedWire extends Wire {
  readonly count: number
}

/** Holds the use of a wire to a number of requests and handshakes. */
export function countedWire(wire: Wire, most: number): CountedWire {
  let count = 0
  function charge(): void {
    if (count >= most) throw new RangeError(`${most} requests were announced, and no more are sent`)
    count++
  }
  return {
    get count() {
      return count
    },
    async send(request) {
      charge()
      return wire.send(request)
    },
    async shakeHands(offer) {
      charge()
      return wire.shakeHands(offer)
    },
  }
}
