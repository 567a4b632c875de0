/**
 * The message on its way in: bytes that the caller can no longer change, within the limit.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { MAX_MESSAGE_BYTES } from "../base/limits.ts"
import { assertInteger } from "../base/options.ts"
import { copyBytes } from "../base/text.ts"

/** The longest text that every JavaScript engine can hold is 512 MiB; an envelope is 4/3 of its message. */
const HIGHEST_LIMIT = 256 * 1024 * 1024

/** Reads the option `maxMessageBytes`. */
export function messageLimit(maxMessageBytes: number = MAX_MESSAGE_BYTES): number {
  assertInteger(maxMessageBytes, "maxMessageBytes", 1, HIGHEST_LIMIT)
  return maxMessageBytes
}

/**
 * Copies a message.
 *
 * @throws `SealwireError` `ERR_TOO_LARGE`; `TypeError` when it is neither text nor bytes, or has a lone surrogate.
 */
export function copyMessage(message: string | Uint8Array, maxMessageBytes: number): Bytes {
  const bytes = copyBytes(message, "message")
  if (bytes.length <= maxMessageBytes) return bytes
  throw new SealwireError(
    "ERR_TOO_LARGE",
    `the message is ${bytes.length} bytes, above the limit of ${maxMessageBytes}`,
  )
}
