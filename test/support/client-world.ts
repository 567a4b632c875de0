/**
 * A client, an endpoint, and the way between them, which a test can make hostile. No sockets.
 *
 * @module
 */

import { decodeBase64url } from "#base64url"

import type { ClientEvent } from "../../src/client/events.ts"
import { type Client, createTimedClient } from "../../src/client/client.ts"
import type { ClientOptions } from "../../src/client/options.ts"
import type { Timing } from "../../src/client/timing.ts"
import type { SigningKey } from "../../src/keys/key.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import type { EndpointOptions, Handler } from "../../src/server.ts"
import { endpointWith, ORIGIN, serverKey } from "./sealed-http.ts"

/** What the network saw of a request. */
export interface Sent {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: string
  readonly signal: AbortSignal | undefined
}

/** Whoever stands between the two ends. `pass` takes a request to the endpoint. */
export type Between = (sent: Sent, pass: (sent: Sent) => Promise<Response>) => Promise<Response>

export interface World {
  readonly client: Client
  /** Sealed requests, without those for the directory. */
  readonly sent: Sent[]
  /** How often the handler ran, and for which requests. */
  readonly handled: Request[]
  readonly directoryFetches: () => number
  readonly events: ClientEvent[]
  /** Set by a test. */
  between: Between
  handler: Handler
}

let identity: Promise<SigningKey> | undefined
/** The server's identity key. */
export async function serverIdentity(): Promise<SigningKey> {
  identity ??= generateSigningKeyPair().then(({ signingKey }) => signingKey)
  return identity
}

const WELL_KNOWN = "/.well-known/sealwire"

/** Time that passes only where the client waits; waits are written down. */
export function instantTiming(waits: number[] = []): Timing {
  let nowMs = 0
  return {
    now: () => nowMs,
    random: () => 0.5,
    async sleep(durationMs, signal) {
      signal?.throwIfAborted()
      waits.push(durationMs)
      nowMs += durationMs
    },
  }
}

function sentOf(url: string, init: RequestInit): Sent {
  const { method = "GET", headers, body, signal } = init
  return {
    url,
    method,
    headers: new Headers(headers),
    body: typeof body === "string" ? body : "",
    signal: signal ?? undefined,
  }
}

const requestOf = ({ url, method, headers, body }: Sent): Request =>
  new Request(url, { method, headers, body: body === "" ? null : body })

export interface WorldOptions {
  readonly client?: Partial<ClientOptions>
  readonly endpoint?: Partial<EndpointOptions>
  readonly timing?: Timing
}

/** Makes a world. The client has the server's key; give `client.pins`, and it goes by the directory. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { client = {}, endpoint: endpointOptions = {}, timing = instantTiming() } = options
  const endpoint = await endpointWith({ directory: { identity: await serverIdentity() }, ...endpointOptions })
  const sent: Sent[] = []
  const handled: Request[] = []
  const events: ClientEvent[] = []
  let directoryFetches = 0
  const pass = (each: Sent): Promise<Response> =>
    endpoint.handle(requestOf(each), (request, info) => {
      handled.push(request.clone())
      return world.handler(request, info)
    })
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const each = sentOf(url, init)
    if (new URL(url).pathname === WELL_KNOWN) directoryFetches++
    else sent.push(each)
    return world.between(each, pass)
  }
  const trust = client.pins ? {} : { keys: (await serverKey()).publicKey }
  const world: World = {
    client: createTimedClient(
      { baseUrl: ORIGIN, ...trust, fetch, onEvent: (event) => events.push(event), ...client },
      timing,
    ),
    sent,
    handled,
    events,
    directoryFetches: () => directoryFetches,
    between: (each, go) => go(each),
    handler: (request) => Response.json({ path: new URL(request.url).pathname }),
  }
  return world
}

type Answer = (
  sent: Sent,
  count: number,
  pass: (sent: Sent) => Promise<Response>,
) => Response | Promise<Response>

/** Answers all but the directory. */
export function toAll(answer: Answer): Between {
  let count = 0
  return async (sent, pass) =>
    new URL(sent.url).pathname === WELL_KNOWN ? pass(sent) : answer(sent, ++count, pass)
}

/** Answers the first so many requests in another way. */
export const toFirst = (times: number, answer: (sent: Sent) => Response | Promise<Response>): Between =>
  toAll((sent, count, pass) => (count <= times ? answer(sent) : pass(sent)))

/** The envelope of what was sent. */
export const envelopeOf = ({ headers, body }: Sent): string => headers.get("sealwire") ?? body

/** The header of an envelope. */
export function headerOf(sent: Sent): { iat: number; jti: string; kid: string } {
  const segment = decodeBase64url(envelopeOf(sent).split(".")[0] ?? "") ?? new Uint8Array(0)
  return JSON.parse(new TextDecoder().decode(segment)) as { iat: number; jti: string; kid: string }
}

export { ORIGIN, serverKey }
