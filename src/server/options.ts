/**
 * The options of an endpoint, read and checked at once.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { encodeAscii } from "../base/text.ts"
import { readContext } from "../envelope/context.ts"
import { maxEnvelopeCharacters } from "../envelope/layout.ts"
import { messageLimit } from "../envelope/message.ts"
import { assertGuard, keySelector } from "../envelope/reader.ts"
import type { Receiving } from "../envelope/receive.ts"
import { type KnownSigners, signerPolicy } from "../envelope/signers.ts"
import { isInnerHeader } from "../http/message.ts"
import { httpContext, readOrigin } from "../http/wire.ts"
import type { PrivateKey, PublicKey, VerifyingKey } from "../keys/key.ts"
import type { ReadableKeyRing } from "../keys/ring.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import { receivingIn } from "../session/receiving.ts"
import { managerOf, type Sessions } from "../session/sessions.ts"
import { type Authenticate, readAuthenticate, withEnrolled } from "./authenticate.ts"
import { createEdge, type Edge, EDGE_OPTIONS, type EdgeOptions } from "./edge.ts"
import { type OnHappening, report } from "./events.ts"
import type { Exchanging } from "./exchange.ts"
import { type DirectoryOptions, directoryServer, type ServeDirectory } from "./key-directory.ts"
import { type IdempotencyOptions, readIdempotency } from "./operation.ts"
import type { AuthenticateOptions } from "./principal.ts"
import { readRoutes, type RouteOf, type Routes, routesThat } from "./routes.ts"
import { type ServeSessions, sessionServer } from "./session-server.ts"
import { unwrapGate } from "./unwrap-gate.ts"

/** Options of `createEndpoint`. */
export interface EndpointOptions extends EdgeOptions {
  /** Scheme, host and port as clients see them, such as `"https://api.example.com"`: requests are bound to it, and `Host` is not believed. */
  readonly origin: string
  /** The recipient's key, or a ring of them: the way to rotate without a gap. */
  readonly keys: PrivateKey | ReadableKeyRing
  /** Decides whether an authentic request is fresh and new. */
  readonly replay: ReplayGuard
  /** Which level each route demands. A request to a route that nothing names is refused. */
  readonly routes: Routes
  /** Serves the key directory at `/.well-known/sealwire`. Default: none, and clients are given keys otherwise. */
  readonly directory?: DirectoryOptions
  /** Serves sessions below `/.well-known/sealwire/sessions`, and takes messages in them on every route. Default: none. */
  readonly sessions?: Sessions
  /**
   * Asked before a session is offered or opened, to limit that by its source: an offer takes an RSA pair, an opening costs an
   * RSA operation. `false` refuses with 429. Default: all may.
   */
  readonly admitHandshake?: (request: Request) => boolean | Promise<boolean>
  /** Requires a signature by one of these. Default: none required. */
  readonly signedBy?: VerifyingKey | readonly VerifyingKey[]
  /** Keys for optional signatures, or a look-up by thumbprint. A signature that nothing here can check is refused. Default: none. */
  readonly knownSigners?: KnownSigners
  /**
   * Finds out who each request is by. Routes of level `high`, and those with scopes, then demand a principal; others take one
   * if there is. Default: nobody is asked, and `high` says only how the message is sealed; the start tells of such routes.
   */
  readonly authenticate?: AuthenticateOptions
  /** Answers a repeated operation, by its `idempotency-key`, with its first answer. Default: none. */
  readonly idempotency?: IdempotencyOptions
  /** What a gateway in front takes off the path, such as `"/v1"`. Default: nothing. */
  readonly pathPrefix?: string
  /** Outer request headers that handlers may see where the message does not have them, such as `"traceparent"`. Default: none. */
  readonly outerRequestHeaders?: readonly string[]
  /** Response headers that stand outside as well, besides those of the protocol. Default: none. */
  readonly outerResponseHeaders?: readonly string[]
  /** Largest request in bytes, head and body: 1 to 268,435,456. Default: 1,048,576. */
  readonly maxMessageBytes?: number
  /**
   * Largest document with sealed fields, in bytes: 1 to 268,435,456. It is parsed before anything of it is proven, which takes longer
   * than opening a message that is sealed as a whole. Default: 131,072.
   */
  readonly maxDocumentBytes?: number
  /** Most private-key operations that run or wait at once: 1 to 65,536. Beyond them: 503. Default: 256. */
  readonly maxPendingUnwraps?: number
  /** Longest response body that goes out as one envelope, in bytes: 0 to 16,000,000. A longer one is streamed. Default: 262,144. */
  readonly streamAboveBytes?: number
  /** Longest wait for the end of such a body, in milliseconds: 0 to 60,000. Default: 50. */
  readonly streamAfterMs?: number
  /**
   * When the uniform refusal goes out, in milliseconds after the request came, so that its time tells no more than its bytes: 0 to
   * 1,000. Above what opening a message takes here. Default: 10.
   */
  readonly refusalFloorMs?: number
}

const OPTIONS = [
  "origin",
  "keys",
  "replay",
  "routes",
  "directory",
  "sessions",
  "admitHandshake",
  "signedBy",
  "knownSigners",
  "authenticate",
  "idempotency",
  "pathPrefix",
  "outerRequestHeaders",
  "outerResponseHeaders",
  "maxMessageBytes",
  "maxDocumentBytes",
  "maxPendingUnwraps",
  "streamAboveBytes",
  "streamAfterMs",
  "refusalFloorMs",
  ...EDGE_OPTIONS,
]

/** Never to be seen by a handler unless an operator says so (§8). */
function readHeaderNames(names: readonly string[], name: string): readonly string[] {
  if (!Array.isArray(names) || !names.every((each) => typeof each === "string" && isInnerHeader(each))) {
    throw new TypeError(`${name} must be an array of header names in lower case, not of one connection`)
  }
  return [...(names as string[])]
}

function readPathPrefix(prefix = ""): string {
  if (/^(?:\/[\w.~-]+)*$/.test(prefix)) return prefix
  throw new TypeError('options.pathPrefix must be a path such as "/v1", without a slash at its end')
}

function publishedBy(keys: PrivateKey | ReadableKeyRing): () => readonly PublicKey[] {
  if ("published" in keys) return () => keys.published()
  return () => [keys.publicKey]
}

/** An endpoint's options, ready to work with. */
export interface EndpointTerms extends Exchanging {
  readonly routeOf: RouteOf
  readonly serveDirectory: ServeDirectory | undefined
  readonly serveSessions: ServeSessions | undefined
  readonly refusalFloorMs: number
  readonly edge: Edge
}

type Gate = ReturnType<typeof unwrapGate>

function readReceiving(
  { keys, replay, signedBy, knownSigners, authenticate }: EndpointOptions,
  origin: string,
  maxMessageBytes: number,
  gate: Gate,
): Receiving {
  const select = keySelector(keys, "options.keys")
  return {
    type: "sw1",
    maxMessageBytes,
    select: (kid) => {
      const key = select(kid)
      return key && gate(key)
    },
    contextHash: (backend) => readContext(httpContext(origin)).hash(backend),
    replay,
    ...withEnrolled(signerPolicy(signedBy, knownSigners), authenticate?.signingKeys),
  }
}

function readAuthentication(
  { authenticate, routes, signedBy }: EndpointOptions,
  onEvent: OnHappening | undefined,
): Authenticate | undefined {
  if (authenticate !== undefined) return readAuthenticate(authenticate)
  const [scoped] = routesThat(routes, ({ scopes }) => scopes.length > 0)
  if (scoped !== undefined) {
    throw new TypeError(`options.authenticate is needed: "${scoped}" of options.routes demands scopes`)
  }
  const high = routesThat(routes, ({ level }) => level === "high")
  if (high.length > 0 && signedBy === undefined) {
    void report(onEvent, { type: "unauthenticated-routes", routes: high })
  }
  return undefined
}

function readSessions(
  { sessions, admitHandshake }: EndpointOptions,
  origin: string,
  receiving: Receiving,
  gate: Gate,
): Pick<EndpointTerms, "receivingFor" | "serveSessions"> {
  const bound = (context: Bytes | undefined): Receiving =>
    context ? { ...receiving, contextHash: readContext(context).hash } : receiving
  if (sessions === undefined) {
    return { receivingFor: (_, context) => bound(context), serveSessions: undefined }
  }
  const manager = managerOf(sessions, "options.sessions")
  const scope = { manager, origin, context: encodeAscii(httpContext(origin)), gate }
  return {
    receivingFor: (envelope, context) =>
      receivingIn(context ? { ...scope, context } : scope, envelope, bound(context)),
    serveSessions: sessionServer({ sessions, scope, receiving, admitHandshake }),
  }
}

/**
 * Reads the options.
 *
 * @throws `TypeError` or `RangeError` naming the option, what was expected and what came.
 */
export function readEndpointOptions(options: EndpointOptions): EndpointTerms {
  assertOptions(options, "options", OPTIONS)
  const { keys, replay, directory } = options
  const {
    maxDocumentBytes = 131_072,
    maxPendingUnwraps = 256,
    streamAboveBytes = 262_144,
    streamAfterMs = 50,
    refusalFloorMs = 10,
  } = options
  const origin = readOrigin(options.origin, "options.origin")
  assertGuard(replay)
  assertInteger(maxDocumentBytes, "options.maxDocumentBytes", 1, 268_435_456)
  assertInteger(maxPendingUnwraps, "options.maxPendingUnwraps", 1, 65_536)
  assertInteger(streamAboveBytes, "options.streamAboveBytes", 0, 16_000_000)
  assertInteger(streamAfterMs, "options.streamAfterMs", 0, 60_000)
  assertInteger(refusalFloorMs, "options.refusalFloorMs", 0, 1000)
  const maxMessageBytes = messageLimit(options.maxMessageBytes ?? 1_048_576)
  const gate = unwrapGate(maxPendingUnwraps)
  const receiving = readReceiving(options, origin, maxMessageBytes, gate)
  const routeOf = readRoutes(options.routes)
  const outerRequestHeaders = readHeaderNames(
    options.outerRequestHeaders ?? [],
    "options.outerRequestHeaders",
  )
  const clock = (): number => replay.now()
  const edge = createEdge(options, { origin, routeOf, requestHeaders: outerRequestHeaders, clock })
  return {
    origin,
    pathPrefix: readPathPrefix(options.pathPrefix),
    routeOf,
    edge,
    chargePrincipal: edge.chargePrincipal,
    authenticate: readAuthentication(options, edge.onEvent),
    serveDirectory: directory && directoryServer(directory, origin, publishedBy(keys), clock),
    idempotency: readIdempotency(options.idempotency),
    outerRequestHeaders,
    outerResponseHeaders: readHeaderNames(options.outerResponseHeaders ?? [], "options.outerResponseHeaders"),
    maxDocumentBytes,
    maxEnvelopeCharacters: maxEnvelopeCharacters(maxMessageBytes),
    streamAboveBytes,
    streamAfterMs,
    refusalFloorMs,
    // each request has its own
    onEvent: undefined,
    receiving,
    ...readSessions(options, origin, receiving, gate),
  }
}
