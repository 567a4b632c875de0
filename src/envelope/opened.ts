/**
 * What an opened envelope gives the application. docs/protocol.md §3.4 step 8 and §5.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { parseJson } from "../base/json.ts"
import { SealwireError } from "../base/errors.ts"
import { decodeUtf8 } from "../base/text.ts"
import type { Authentic } from "./read.ts"

/** The message of an envelope, in the forms an application wants. */
class OpenedMessage {
  /** The header's `jti`, 22 characters: unique to this envelope. Not the id that a replay store holds. */
  readonly id: string
  /** The sender's time, to the second. */
  readonly issuedAt: Date
  /** The key that the envelope names: the recipient's thumbprint. */
  readonly kid: string
  // private, so that logging or inspecting what was opened does not show it
  readonly #message: Bytes
  readonly #digest: Bytes

  constructor({ header, message, messageDigest }: Authentic) {
    this.id = header.id
    this.issuedAt = new Date(header.issuedAtSeconds * 1000)
    this.kid = header.kid
    this.#message = message
    this.#digest = messageDigest
  }

  /** The message. */
  get message(): Uint8Array {
    return this.#message
  }

  /** SHA-256 of the message, 32 bytes. */
  get digest(): Uint8Array {
    return this.#digest
  }

  /**
   * The message as UTF-8 text.
   *
   * @throws `SealwireError` `ERR_MESSAGE_FORMAT`
   */
  text(): string {
    const text = decodeUtf8(this.#message)
    if (text === undefined) throw new SealwireError("ERR_MESSAGE_FORMAT", "the message is not UTF-8")
    return text
  }

  /**
   * The message as JSON, safe against prototype pollution.
   *
   * @throws `SealwireError` `ERR_MESSAGE_FORMAT`
   */
  json(): unknown {
    return parseJson(this.text())
  }
}

/** The one reply to a request, opened. It proves that the recipient answered this very request. */
export class OpenedReply extends OpenedMessage {}

/** An authentic, fresh message that has not been opened before. */
export class Opened extends OpenedMessage {
  /** Thumbprint of the key that signed this, or that opened its session; undefined means that nobody is proven to have sent it. */
  readonly signer: string | undefined
  /** Id of the session that this came in; undefined outside of sessions. */
  readonly session: string | undefined
  readonly #reply: (message: string | Uint8Array) => Promise<string>

  constructor(authentic: Authentic, reply: (message: string | Uint8Array) => Promise<string>) {
    super(authentic)
    this.signer = authentic.signer
    this.session = authentic.selected.session?.id
    this.#reply = reply
  }

  /**
   * Seals an answer that only the sender of this message can open, and only as the answer to it (§5).
   *
   * @throws `SealwireError` `ERR_TOO_LARGE` above 16 MiB; `TypeError` when `message` is neither text nor bytes.
   */
  reply(message: string | Uint8Array): Promise<string> {
    return this.#reply(message)
  }
}
