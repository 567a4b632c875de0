/**
 * Sealing a message to a recipient: `sw1`. docs/protocol.md §3.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { assertOptions } from "../base/options.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import { readContext } from "./context.ts"
import type { EnvelopeEnd } from "./exporter.ts"
import type { EnvelopeType } from "./header.ts"
import { copyMessage, messageLimit } from "./message.ts"
import type { OpenedReply } from "./opened.ts"
import { replyOpener } from "./reply.ts"
import { type Fresh, writeEnvelope, type Writing } from "./write.ts"

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

/** To whom, for what, and by whom. */
export type Addressed = Pick<SealOptions, "to" | "context" | "signWith">

/** Seals bytes that belong to the writer; `given` as for `writeEnvelope`. */
export type Sealer = (message: Bytes, given?: Partial<Fresh>) => Promise<EnvelopeEnd>

/**
 * Reads for whom to seal now, and gives the function that does it, under any type whose key is wrapped.
 *
 * @throws `TypeError` naming the option.
 */
export function sealerFor(type: EnvelopeType, { to, context = "", signWith }: Addressed): Sealer {
  const { backend, handle } = materialOf(to, "public", "options.to")
  if (signWith !== undefined) materialOf(signWith, "signing", "options.signWith")
  const contextHash = readContext(context)
  const { kid } = to
  return async (message, given) => {
    const writing: Writing = {
      backend,
      type,
      kid,
      contextHash: await contextHash(backend),
      message,
      signWith,
      contentKey: async (key) => ({ key, encryptedKey: await handle.wrap(key) }),
    }
    const { envelope, seed } = await writeEnvelope(writing, given)
    return { backend, envelope, seed, kid }
  }
}

/** Seals, and keeps what the reply needs; `given` as for `writeEnvelope`. */
export async function sealTo(
  message: string | Uint8Array,
  options: SealOptions,
  given?: Partial<Fresh>,
): Promise<EnvelopeEnd> {
  assertOptions(options, "options", OPTIONS)
  const seal = sealerFor("sw1", options)
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
