/**
 * A client's messages in a session: sealed under keys of the session's secret, or, in mode `each`, to its RSA key.
 * docs/protocol.md §6 step 4, and §8 for the opening of a channel.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { Backend } from "../crypto/backend.ts"
import type { Context } from "../envelope/context.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { type Fresh, writeEnvelope, type Writing } from "../envelope/write.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import type { SessionWrap } from "./offer.ts"
import { eachContextHash, type SessionSecret } from "./secret.ts"

/** What messages in a session are used for. */
export type SessionUse = "message" | "channel"

/** An open session, as its client knows it. */
export interface ClientEnd {
  readonly backend: Backend
  readonly sessionId: string
  readonly wrap: SessionWrap
  /** The session's RSA key: needed in mode `each` only. */
  readonly key: PublicKey
  readonly secret: SessionSecret
}

const TYPES = { message: "sw1-session", channel: "sw1-channel" } as const

/** What to seal. */
export interface SessionMessage {
  /** The sealer's own. */
  readonly message: Bytes
  readonly context: Context
  readonly signWith?: SigningKey | undefined
  /** Default: `"message"`. A channel is opened by a message of type `sw1-channel`, in both modes. */
  readonly use?: SessionUse
}

function derived(
  { backend, sessionId, secret }: ClientEnd,
  { message, context, signWith, use = "message" }: SessionMessage,
): Writing {
  return {
    backend,
    type: TYPES[use],
    kid: sessionId,
    contextHash: context.hash,
    message,
    signWith,
    contentKey: (nonce) => secret.expand(use, nonce),
  }
}

function wrapped(
  { backend, key, secret }: ClientEnd,
  { message, context, signWith }: SessionMessage,
): Writing {
  return {
    backend,
    type: "sw1",
    kid: key.kid,
    contextHash: (_, nonce) => eachContextHash(backend, secret, context.bytes, nonce),
    message,
    signWith,
    contentKey: materialOf(key, "public", "key").handle,
  }
}

/** Seals in a session; `given` as for `writeEnvelope`. */
export function sealInSession(
  end: ClientEnd,
  message: SessionMessage,
  given?: Partial<Fresh>,
): Promise<EnvelopeEnd> {
  const isWrapped = end.wrap === "each" && message.use !== "channel"
  return writeEnvelope(isWrapped ? wrapped(end, message) : derived(end, message), given)
}
