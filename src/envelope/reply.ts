/**
 * Replies: sealed under a key that only the two ends of the request's envelope can derive. docs/protocol.md §5.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { MAX_MESSAGE_BYTES } from "../base/limits.ts"
import { encodeAscii } from "../base/text.ts"
import { expand } from "../crypto/derive.ts"
import { type EnvelopeEnd, exportSecret } from "./exporter.ts"
import { copyMessage } from "./message.ts"
import { OpenedReply } from "./opened.ts"
import { readEnvelope } from "./read.ts"
import { type Fresh, writeEnvelope } from "./write.ts"

const NO_KEY = new Uint8Array(0)

/** Seals a reply; `fresh` as for `writeEnvelope`. */
export async function sealReply(
  end: EnvelopeEnd,
  message: string | Uint8Array,
  fresh?: Fresh,
): Promise<string> {
  const { backend, envelope, kid } = end
  const bytes = copyMessage(message, MAX_MESSAGE_BYTES)
  const secret = await exportSecret(end)
  const { envelope: reply } = await writeEnvelope(
    {
      backend,
      type: "sw1-reply",
      kid,
      context: encodeAscii(envelope),
      message: bytes,
      contentKey: async (_, nonce) => ({
        key: await expand(backend, secret, "reply", nonce),
        encryptedKey: NO_KEY,
      }),
    },
    fresh,
  )
  return reply
}

/** Opens a reply. Its request bounds its time (§3.4 step 5), and it claims nothing. */
async function readReply(end: EnvelopeEnd, reply: string): Promise<OpenedReply> {
  const { backend, envelope, kid } = end
  const authentic = await readEnvelope(reply, {
    type: "sw1-reply",
    context: encodeAscii(envelope),
    maxMessageBytes: MAX_MESSAGE_BYTES,
    select: (named) =>
      named === kid
        ? {
            backend,
            encryptedKeyBytes: 0,
            madeAtMs: undefined,
            contentKey: async (_, nonce) => expand(backend, await exportSecret(end), "reply", nonce),
          }
        : undefined,
    isNear: () => true,
    signatureRequired: false,
    findSigner: () => undefined,
  })
  return new OpenedReply(authentic)
}

/** Gives the function that opens replies to an envelope, until one has been opened. */
export function replyOpener(end: EnvelopeEnd): (reply: string) => Promise<OpenedReply> {
  let answered = false
  return async (reply) => {
    const opened = await readReply(end, reply)
    // checked after reading: a forged reply must not use up the real one's turn
    if (answered) throw new SealwireError("ERR_REPLAYED", "this request has had its reply")
    answered = true
    return opened
  }
}
