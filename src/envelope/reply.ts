/**
 * Replies: sealed under a key that only the two ends of the request's envelope can derive. docs/protocol.md §5.
 *
 * @module
 */

import { asciiBytes } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { MAX_MESSAGE_BYTES } from "../base/limits.ts"
import type { Backend } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"
import { contextHashOf } from "./context.ts"
import { type EnvelopeEnd, exportSecret } from "./exporter.ts"
import { copyMessage } from "./message.ts"
import { type Authentic, readEnvelope } from "./read.ts"
import { writeEnvelope } from "./write.ts"

/** What both ends know of any reply to an envelope. */
interface ReplyTerms {
  readonly backend: Backend
  readonly kid: string
  /** X of the envelope. */
  readonly secret: Bytes
  readonly contextHash: string
}

/** The context is the envelope, unless more than that is bound. */
async function replyTermsOf(
  { backend, envelope, seed, kid }: EnvelopeEnd,
  context?: Bytes,
): Promise<ReplyTerms> {
  const bytes = asciiBytes(envelope)
  const secret = await exportSecret(backend, bytes, seed)
  return { backend, kid, secret, contextHash: await contextHashOf(backend, context ?? bytes) }
}

/**
 * Seals a reply, and keeps what it exports.
 *
 * @param context - Default: the envelope.
 */
export async function sealReply(
  end: EnvelopeEnd,
  message: string | Uint8Array,
  context?: Bytes,
): Promise<EnvelopeEnd> {
  const bytes = copyMessage(message, MAX_MESSAGE_BYTES)
  const { backend, kid, secret, contextHash } = await replyTermsOf(end, context)
  return writeEnvelope({
    backend,
    type: "sw1-reply",
    kid,
    contextHash: () => contextHash,
    message: bytes,
    contentKey: (nonce) => expand(backend, secret, "reply", nonce),
  })
}

/** Opens a reply. Its request bounds its time (§3.4 step 5), and it claims nothing. */
async function readReply(terms: ReplyTerms, reply: string): Promise<Authentic> {
  const { backend, kid, secret, contextHash } = terms
  return readEnvelope(reply, {
    type: "sw1-reply",
    maxMessageBytes: MAX_MESSAGE_BYTES,
    select: (named) =>
      named === kid
        ? {
            backend,
            encryptedKeyBytes: 0,
            madeAtMs: undefined,
            contentKey: (_, nonce) => expand(backend, secret, "reply", nonce),
          }
        : undefined,
    contextHash: () => contextHash,
    isNear: () => true,
    // a reply is its reader's by its key: no signature is expected, and none believed
    readSigner: (signature) => (signature.length === 0 ? { signer: undefined } : undefined),
  })
}

/**
 * Gives the function that reads replies to an envelope, until one has been read. What that takes is derived here, so that
 * who waits for an answer keeps 75 bytes, and not the envelope.
 */
export async function replyReader(end: EnvelopeEnd): Promise<(reply: string) => Promise<Authentic>> {
  const terms = await replyTermsOf(end)
  let answered = false
  return async (reply) => {
    const authentic = await readReply(terms, reply)
    // checked after reading: a forged reply must not use up the real one's turn
    if (answered) throw new SealwireError("ERR_REPLAYED", "this request has had its reply")
    answered = true
    return authentic
  }
}

/** Reads one reply that is bound to more than its request. */
export async function readReplyIn(end: EnvelopeEnd, reply: string, context: Bytes): Promise<Authentic> {
  return readReply(await replyTermsOf(end, context), reply)
}
