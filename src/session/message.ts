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

const NO_KEY = new Uint8Array(0)
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

async function derived(
  end: ClientEnd,
  { message, context, signWith, use = "message" }: SessionMessage,
): Promise<Writing> {
  const { backend, sessionId, secret } = end
  return {
    backend,
    type: TYPES[use],
    kid: sessionId,
    contextHash: await context.hash(backend),
    message,
    signWith,
    contentKey: async (_, nonce) => ({ key: await secret.expand(use, nonce), encryptedKey: NO_KEY }),
  }
}

function wrapped(
  { backend, key, secret }: ClientEnd,
  { message, context, signWith }: SessionMessage,
): Writing {
  const { handle } = materialOf(key, "public", "key")
  return {
    backend,
    type: "sw1",
    kid: key.kid,
    contextHash: (nonce) => eachContextHash(backend, secret, context.bytes, nonce),
    message,
    signWith,
    contentKey: async (fresh) => ({ key: fresh, encryptedKey: await handle.wrap(fresh) }),
  }
}

/** Seals in a session; `given` as for `writeEnvelope`. */
export async function sealInSession(
  end: ClientEnd,
  message: SessionMessage,
  given?: Partial<Fresh>,
): Promise<EnvelopeEnd> {
  const isWrapped = end.wrap === "each" && message.use !== "channel"
  const writing = isWrapped ? wrapped(end, message) : await derived(end, message)
  const { envelope, seed } = await writeEnvelope(writing, given)
  return { backend: end.backend, envelope, seed, kid: writing.kid }
}
