/**
 * The client's half of opening a session: the hello, the opening of an offer, and its confirmation. docs/protocol.md §6.
 * Bytes in, bytes out: how they travel is decided elsewhere.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { SealwireError } from "../base/errors.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { contextHashOf } from "../envelope/context.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import type { Authentic } from "../envelope/read.ts"
import { replyReader } from "../envelope/reply.ts"
import { type Fresh, writeEnvelope } from "../envelope/write.ts"
import { materialOf, type SigningKey } from "../keys/key.ts"
import { type Offer, readOffer, serializeHello } from "./offer.ts"
import { type SecretBytes, sessionSecretOf } from "./secret.ts"

/** M of the reply to an opening: the key confirmation. */
export const CONFIRMATION = "{}"

/** M of the opening. */
export function openingMessage(sessionId: string): string {
  return `{"sid":"${sessionId}"}`
}

/** Seals the opening of an offer; `text` is the offer as it came, `given` as for `writeEnvelope`. */
export async function sealOpening(
  { key, sessionId }: Offer,
  text: string,
  signWith: SigningKey | undefined,
  given?: Partial<Fresh>,
): Promise<EnvelopeEnd> {
  const { backend, handle } = materialOf(key, "public", "key")
  return writeEnvelope(
    {
      backend,
      type: "sw1-open",
      kid: key.kid,
      contextHash: () => contextHashOf(backend, encodeAscii(text)),
      message: encodeAscii(openingMessage(sessionId)),
      signWith,
      contentKey: handle,
    },
    given,
  )
}

/** A hello that waits for its offer. */
export interface Hello {
  /** What goes to the server. */
  readonly text: string
  /**
   * Reads the offer.
   *
   * @throws `SealwireError` `ERR_KEYS_UNTRUSTED` or `ERR_KEY`.
   */
  readOffer(text: string, nowSeconds: number): Promise<Offered>
}

/** An offer that is believed. */
export interface Offered {
  readonly offer: Offer
  /** Thumbprint of the identity key that made it. */
  readonly identity: string
  /** Seals an opening; each call another one, of which the server takes at most one. */
  readonly seal: (issuedAtSeconds: number) => Promise<Opening>
}

/** An opening that waits for its confirmation. */
export interface Opening {
  readonly envelope: string
  /** Opens the reply: the confirmation, or an authentic refusal. */
  readReply(reply: string): Promise<Authentic>
  /**
   * The session's secret, once the reply is the confirmation.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED`
   */
  confirm(reply: Authentic): Promise<SecretBytes>
}

async function openingOf(end: EnvelopeEnd): Promise<Opening> {
  const readReply = await replyReader(end)
  return {
    envelope: end.envelope,
    readReply,
    async confirm({ message }) {
      if (decodeUtf8(message) === CONFIRMATION) return sessionSecretOf(end)
      throw new SealwireError("ERR_OPEN_FAILED", "the server did not confirm the session")
    },
  }
}

/** Starts to open a session with whom the pins name. */
export function sayHello(
  backend: Backend,
  { pins, origin }: { readonly pins: readonly string[]; readonly origin: string },
  signWith?: SigningKey,
): Hello {
  const challenge = encodeBase64url(backend.randomBytes(32))
  return {
    text: serializeHello(challenge),
    async readOffer(text, nowSeconds) {
      const believed = await readOffer(backend, text, { pins, origin, challenge, nowSeconds })
      return {
        ...believed,
        seal: async (issuedAtSeconds) =>
          openingOf(await sealOpening(believed.offer, text, signWith, { issuedAtSeconds })),
      }
    },
  }
}
