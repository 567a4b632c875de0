/**
 * A client's session without HTTP: the handshake over whatever carries text, then messages. docs/protocol.md §6.
 *
 * @module
 */

import { backend as platform } from "#backend"

import { type Clock, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { copyMessage, messageLimit } from "../envelope/message.ts"
import { readContext } from "../envelope/context.ts"
import { replyOpener } from "../envelope/open-reply.ts"
import type { SealedRequest } from "../envelope/seal.ts"
import { materialOf, type SigningKey } from "../keys/key.ts"
import { sayHello } from "./handshake.ts"
import { OFFER_SECONDS } from "./limits.ts"
import { type ClientEnd, sealInSession } from "./message.ts"
import type { SessionWrap } from "./offer.ts"
import type { SecretBytes } from "./secret.ts"

/** Carries the two questions of a handshake to the server, and its answers back. Nothing in them is secret. */
export interface SessionTransport {
  /** Sends the hello; gives what `Sessions.offer` gave. */
  offer(hello: string): Promise<string>
  /** Sends the opening of the session `id`; gives what `Sessions.open` gave. */
  open(id: string, opening: string): Promise<string>
}

/** Options of {@link openSession}. */
export interface OpenSessionOptions {
  /** Thumbprints of the server's identity keys. In production two: one is the spare. */
  readonly pins: readonly string[]
  /** The origin that the server makes its offers for. */
  readonly origin: string
  readonly transport: SessionTransport
  /** Proves who opens the session, and so who sends in it. Default: nobody. */
  readonly signWith?: SigningKey
  /** Default: the platform's. */
  readonly backend?: Backend
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
}

/** Options of {@link Session.seal}. */
export interface SessionSealOptions {
  /** What the message must not be moved away from. The reader must give the same. Default: empty. */
  readonly context?: string | Uint8Array
  /** Largest message in bytes: 1 to 268,435,456. Default: 16,777,216. */
  readonly maxMessageBytes?: number
}

/** An open session, at its client's end. Made by {@link openSession}. */
export interface Session {
  /** 22 characters. */
  readonly id: string
  readonly wrap: SessionWrap
  /** Thumbprint of the identity key that made the offer: one of the pins. */
  readonly identity: string
  /** When it ends at the latest, by this client's clock. */
  readonly expiresAt: Date
  /** How long it lives without a message, in seconds. */
  readonly idleSeconds: number
  /**
   * Seals a message to the server.
   *
   * @throws `SealwireError` `ERR_NO_SESSION` once it has expired or was forgotten; `ERR_TOO_LARGE`; `TypeError`.
   */
  seal(message: string | Uint8Array, options?: SessionSealOptions): Promise<string>
  /** The same, and keeps what it takes to open the reply. */
  sealRequest(message: string | Uint8Array, options?: SessionSealOptions): Promise<SealedRequest>
  /** Forgets the secret. The server learns of it by its own clock, or by a message of the application's. */
  forget(): void
}

const OPTIONS = ["pins", "origin", "transport", "signWith", "backend", "clock"]
const SEAL_OPTIONS = ["context", "maxMessageBytes"]

function readPins(pins: readonly string[]): string[] {
  if (Array.isArray(pins) && pins.length > 0 && pins.every((pin) => /^[\w-]{43}$/.test(String(pin)))) {
    return [...(pins as string[])]
  }
  throw new TypeError("options.pins must be thumbprints of 43 characters, at least one")
}

function readTransport(transport: SessionTransport): SessionTransport {
  const members = (transport as Partial<SessionTransport> | undefined) ?? {}
  if (typeof members.offer === "function" && typeof members.open === "function") return transport
  throw new TypeError(`options.transport must have offer and open, not ${describe(transport)}`)
}

/** What a transport brought back; bytes, as many give them, would be another text. */
function readAnswer(answer: string, member: keyof SessionTransport): string {
  if (typeof answer === "string") return answer
  throw new TypeError(`options.transport.${member} must give a string, not ${describe(answer)}`)
}

/** What a session is sealed with, and until when. */
interface Terms {
  readonly end: ClientEnd
  readonly secret: SecretBytes
  readonly expiresAtMs: number
  readonly clock: Clock
}

async function sealWithin(
  { end, secret, expiresAtMs, clock }: Terms,
  message: string | Uint8Array,
  options: SessionSealOptions,
): Promise<EnvelopeEnd> {
  assertOptions(options, "options", SEAL_OPTIONS)
  const bytes = copyMessage(message, messageLimit(options.maxMessageBytes))
  const nowMs = clock()
  if (!secret.bytes || nowMs >= expiresAtMs) {
    throw new SealwireError("ERR_NO_SESSION", "the session has ended: open another")
  }
  const issuedAtSeconds = Math.floor(nowMs / 1000)
  return sealInSession(
    end,
    { message: bytes, context: readContext(options.context ?? "") },
    { issuedAtSeconds },
  )
}

/**
 * Opens a session with a server, over a transport of the application's. `createClient({ session: true })` does it over HTTP.
 *
 * @throws `SealwireError` `ERR_KEYS_UNTRUSTED` or `ERR_KEY` for an offer that is not believed; `ERR_OPEN_FAILED` for a reply that
 *   does not confirm; `ERR_TIMEOUT` when the offer took longer than it is good for; what the transport throws, and `TypeError` where
 *   it gives no text.
 * @example
 * ```ts
 * import { openSession, type SessionTransport } from "sealwire/session"
 *
 * async function greet(transport: SessionTransport, pins: string[]) {
 *   const session = await openSession({ pins, origin: "mqtts://broker.example.com", transport })
 *   return session.seal("hello", { context: "greetings" })
 * }
 * ```
 */
export async function openSession(options: OpenSessionOptions): Promise<Session> {
  assertOptions(options, "options", OPTIONS)
  const { origin, signWith, backend = platform, clock = systemClock } = options
  const pins = readPins(options.pins)
  const transport = readTransport(options.transport)
  if (typeof origin !== "string")
    throw new TypeError(`options.origin must be a string, not ${describe(origin)}`)
  if (signWith !== undefined) materialOf(signWith, "signing", "options.signWith")
  assertFunction(clock, "options.clock")

  const startMs = clock()
  const hello = sayHello(backend, { pins, origin }, signWith)
  const { offer, identity, seal } = await hello.readOffer(
    readAnswer(await transport.offer(hello.text), "offer"),
    Math.floor(clock() / 1000),
  )
  if (clock() - startMs > OFFER_SECONDS * 1000) {
    throw new SealwireError("ERR_TIMEOUT", "the offer of a session came after it had run out")
  }
  const opening = await seal(Math.floor(clock() / 1000))
  const answer = await transport.open(offer.sessionId, opening.envelope)
  const reply = await opening.readReply(readAnswer(answer, "open"))
  const secret = await opening.confirm(reply)
  const { sessionId, wrap, key, idleSeconds, expiresAtSeconds, issuedAtSeconds } = offer
  // by this clock alone, from before the offer was made: the two clocks need not agree
  const expiresAtMs = startMs + (expiresAtSeconds - issuedAtSeconds) * 1000
  const end = { backend, sessionId, wrap, key, secret }
  const terms = { end, secret, expiresAtMs, clock }
  return Object.freeze<Session>({
    id: sessionId,
    wrap,
    identity,
    expiresAt: new Date(expiresAtMs),
    idleSeconds,
    seal: async (message, sealing = {}) => (await sealWithin(terms, message, sealing)).envelope,
    async sealRequest(message, sealing = {}) {
      const sealed = await sealWithin(terms, message, sealing)
      return { envelope: sealed.envelope, openReply: await replyOpener(sealed) }
    },
    forget: () => secret.wipe(),
  })
}
