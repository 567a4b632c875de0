/**
 * Sealing a message to a recipient: `sw1`. docs/protocol.md §3.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { PublicKey, SigningKey } from "../keys/key.ts"
import { readContext } from "./context.ts"
import type { EnvelopeEnd } from "./exporter.ts"
import { copyMessage, messageLimit } from "./message.ts"
import { replyOpener } from "./open-reply.ts"
import type { OpenedReply } from "./opened.ts"
import { sealerFor } from "./sealer.ts"
import type { Fresh } from "./write.ts"

/** Options of {@link seal} and {@link sealRequest}. */
export interface SealOptions {
  /** The recipient. */
  readonly to: PublicKey
  /**
   * What the message must not be moved away from: a purpose, an audience, a record. The reader must give the same. Bound by
   * its hash and not hidden: nothing secret that can be guessed. Default: empty.
   */
  readonly context?: string | Uint8Array
  /** Proves who seals. Default: nobody. */
  readonly signWith?: SigningKey
  /** Largest message in bytes: 1 to 268,435,456. Default: 16,777,216. */
  readonly maxMessageBytes?: number
}

/** A sealed request, and the way to open its answer. */
export interface SealedRequest {
  /** The envelope: ASCII, base64url segments and dots. */
  readonly envelope: string
  /**
   * Opens the reply to this envelope. Only one: a second throws `ERR_REPLAYED`.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED` for anything but a reply to this very envelope.
   */
  readonly openReply: (reply: string) => Promise<OpenedReply>
}

const OPTIONS = ["to", "context", "signWith", "maxMessageBytes"]

/** Seals, and keeps what the reply needs; `given` as for `writeEnvelope`. */
export async function sealTo(
  message: string | Uint8Array,
  options: SealOptions,
  given?: Partial<Fresh>,
): Promise<EnvelopeEnd> {
  assertOptions(options, "options", OPTIONS)
  const { to, context = "", signWith } = options
  const seal = sealerFor("sw1", { to, context: readContext(context), signWith })
  // copied, as the context is, before the first await
  return seal(copyMessage(message, messageLimit(options.maxMessageBytes)), given)
}

/**
 * Seals a message to a recipient, in an envelope that opens once.
 *
 * @param message - Text, sealed as UTF-8, or bytes, which are copied before the first `await`.
 * @returns The envelope: ASCII, base64url segments and dots; a JWE in compact serialization (RFC 7516).
 * @throws `SealwireError` `ERR_TOO_LARGE` above `maxMessageBytes`; `TypeError` for a wrong argument, or text with a lone
 *   surrogate.
 * @example
 * ```ts
 * import { generateKeyPair, seal } from "sealwire"
 *
 * const { publicKey } = await generateKeyPair()
 * const envelope = await seal("pay 120 to Zoë", { to: publicKey, context: "transfers" })
 * ```
 */
export async function seal(message: string | Uint8Array, options: SealOptions): Promise<string> {
  return (await sealTo(message, options)).envelope
}

/**
 * Seals a message as {@link seal} does, and keeps what it takes to open the recipient's reply.
 *
 * @throws As {@link seal}.
 * @example
 * ```ts
 * import { generateKeyPair, sealRequest } from "sealwire"
 *
 * const { publicKey } = await generateKeyPair()
 * const { envelope, openReply } = await sealRequest("balance?", { to: publicKey })
 * // send the envelope, receive a reply, then: (await openReply(reply)).text()
 * ```
 */
export async function sealRequest(
  message: string | Uint8Array,
  options: SealOptions,
): Promise<SealedRequest> {
  const end = await sealTo(message, options)
  return { envelope: end.envelope, openReply: await replyOpener(end) }
}
