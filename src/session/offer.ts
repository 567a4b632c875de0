/**
 * The first two messages of a session: a client's hello, and the offer by which a server answers it, signed by its identity
 * key. docs/protocol.md §6, steps 1 to 3.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { Backend, Jwk } from "../crypto/backend.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import { publicKeyOf } from "../keys/recipient.ts"
import { readStatement, signStatement } from "../keys/statement.ts"
import { DAY_SECONDS, MAX_LIFETIME_SECONDS } from "./limits.ts"

/**
 * How the content keys of a session come to be.
 *
 * - `once`: all from the opening. The session's RSA private key is gone when it is open.
 * - `each`: wrapped in each message to the session's RSA key, which lives as long as the session.
 */
export type SessionWrap = "once" | "each"

/** What an offer says. */
export interface Offer {
  /** The origin that it is for: `aud`. */
  readonly origin: string
  /** What the client said: `cn`, 43 characters. */
  readonly challenge: string
  /** Unix seconds: `iat`. */
  readonly issuedAtSeconds: number
  /** The end of the session in Unix seconds: `exp`. */
  readonly expiresAtSeconds: number
  /** How long the session lives without a message: `idle`. */
  readonly idleSeconds: number
  /** The RSA key that was made for this session alone. */
  readonly key: PublicKey
  /** The session's id, 22 characters: `sid`. */
  readonly sessionId: string
  readonly wrap: SessionWrap
}

const HELLO = /^\{"cn":"([\w-]{42}[AEIMQUYcgkosw048])"\}$/
const SESSION_ID = /^[\w-]{21}[AQgw]$/
/** An offer of a 4096-bit key takes 1,600 characters. */
const MAX_OFFER_CHARACTERS = 4096

/** Whether a text can be the id of a session: canonical base64url of 16 bytes. */
export function isSessionId(text: unknown): boolean {
  return typeof text === "string" && SESSION_ID.test(text)
}

/** The first message: 32 random bytes, which the offer must repeat. */
export function serializeHello(challenge: string): string {
  return `{"cn":"${challenge}"}`
}

/** The challenge of a hello; undefined for anything but its one form. */
export function parseHello(text: unknown): string | undefined {
  return typeof text === "string" ? HELLO.exec(text)?.[1] : undefined
}

/** Signs an offer: a compact JWS. */
export function signOffer(identity: SigningKey, offer: Offer): Promise<string> {
  const { origin: aud, challenge: cn, sessionId: sid, wrap, idleSeconds: idle } = offer
  const { issuedAtSeconds: iat, expiresAtSeconds: exp } = offer
  const { jwk } = materialOf(offer.key, "public", "key")
  return signStatement(identity, "sw1-offer", { aud, cn, exp, iat, idle, jwk: { ...jwk }, sid, wrap })
}

/** What a client demands of an offer. */
export interface OfferTerms {
  /** Thumbprints of the identity keys that it trusts. */
  readonly pins: readonly string[]
  readonly origin: string
  /** What it said in its hello. */
  readonly challenge: string
  readonly nowSeconds: number
}

function distrust(reason: string): never {
  throw new SealwireError("ERR_KEYS_UNTRUSTED", `the server's offer of a session ${reason}`)
}

const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

function isRsaJwk(value: unknown): value is Jwk {
  if (typeof value !== "object" || value === null) return false
  const { e, kty, n, ...more } = value as Readonly<Record<string, unknown>>
  const members = [e, kty, n]
  return members.every((member) => typeof member === "string") && Object.keys(more).length === 0
}

interface Payload {
  readonly aud: unknown
  readonly cn: unknown
  readonly exp: number
  readonly iat: number
  readonly idle: number
  readonly jwk: Jwk
  readonly sid: string
  readonly wrap: SessionWrap
}

function readPayload(payload: Readonly<Record<string, unknown>>): Payload {
  const { aud, cn, exp, iat, idle, jwk, sid, wrap, ...more } = payload
  const isOffer =
    Object.keys(more).length === 0 &&
    isSeconds(exp) &&
    isSeconds(iat) &&
    isSeconds(idle) &&
    isRsaJwk(jwk) &&
    typeof sid === "string" &&
    isSessionId(sid) &&
    (wrap === "once" || wrap === "each")
  if (!isOffer) distrust("is malformed")
  return { aud, cn, exp, iat, idle, jwk, sid, wrap }
}

/**
 * Reads an offer.
 *
 * @returns The offer, and the thumbprint of the identity that made it.
 * @throws `SealwireError` `ERR_KEYS_UNTRUSTED`, saying which demand it does not meet; `ERR_KEY` for a key that §2 refuses.
 */
export async function readOffer(
  backend: Backend,
  text: string,
  { pins, origin, challenge, nowSeconds }: OfferTerms,
): Promise<{ readonly offer: Offer; readonly identity: string }> {
  if (text.length > MAX_OFFER_CHARACTERS) distrust("is too long")
  const statement = await readStatement(backend, text, "sw1-offer", pins)
  if (!statement) distrust("is not signed by a pinned identity")
  const { aud, cn, exp, iat, idle, jwk, sid, wrap } = readPayload(statement.payload)
  if (cn !== challenge) distrust("is for another hello")
  if (aud !== origin) distrust(`is not for ${origin}`)
  if (exp <= iat || exp - iat > MAX_LIFETIME_SECONDS) distrust("has a life that is not within a week")
  if (idle > exp - iat) distrust("lets the session idle for longer than it lives")
  if (Math.abs(iat - nowSeconds) > DAY_SECONDS) distrust("is from another day")
  const offer: Offer = {
    origin,
    challenge,
    issuedAtSeconds: iat,
    expiresAtSeconds: exp,
    idleSeconds: idle,
    key: await publicKeyOf(backend, jwk),
    sessionId: sid,
    wrap,
  }
  return { offer, identity: statement.identity }
}
