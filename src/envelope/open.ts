/**
 * Opening a message: `sw1`, all eight steps of docs/protocol.md §3.4.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { PrivateKey, VerifyingKey } from "../keys/key.ts"
import type { ReadableKeyRing } from "../keys/ring.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import { readContext } from "./context.ts"
import { messageLimit } from "./message.ts"
import type { Opened } from "./opened.ts"
import { receive } from "./receive.ts"
import { assertGuard, keySelector } from "./reader.ts"
import { type KnownSigners, signerPolicy } from "./signers.ts"

/** Options of {@link open}. */
export interface OpenOptions {
  /** The recipient's key, or a ring of them. */
  readonly with: PrivateKey | ReadableKeyRing
  /** What the sender bound the message to. Default: empty. */
  readonly context?: string | Uint8Array
  /**
   * Decides whether an authentic message is fresh and new. Required: without it a copy of a message counts again. The loud
   * way out is `dangerouslyAcceptReplays`.
   */
  readonly replay: ReplayGuard
  /** Requires a signature by one of these. Default: none required. */
  readonly signedBy?: VerifyingKey | readonly VerifyingKey[]
  /** Keys for optional signatures, or a look-up by thumbprint. A signature that nothing here can check is refused. Default: none. */
  readonly knownSigners?: KnownSigners
  /** Largest message in bytes: 1 to 268,435,456. Default: 16,777,216. */
  readonly maxMessageBytes?: number
}

const OPTIONS = ["with", "context", "replay", "signedBy", "knownSigners", "maxMessageBytes"]

/**
 * Opens an envelope: proves that it was sealed to this reader for this context, that it is fresh, and that it counts for the
 * first time. Says who sealed it only where it is signed; see `signedBy`.
 *
 * @param envelope - What came from outside. Anything is allowed; all that is not an envelope fails the same way.
 * @throws `SealwireError`
 *   `ERR_OPEN_FAILED` not an envelope for this key and context, or altered, or not signed as required; which, is never told;
 *   `ERR_STALE`, `ERR_REPLAYED`, `ERR_QUARANTINED`, `ERR_STORE`, `ERR_STORE_FULL` from the replay guard;
 *   `ERR_KEY_UNAVAILABLE` a key service or the look-up of signers was not reached.
 *   `TypeError` or `RangeError` for wrong options.
 * @example
 * ```ts
 * import { createReplayGuard, generateKeyPair, memoryStore, open, seal } from "sealwire"
 *
 * const replay = createReplayGuard({ store: memoryStore() })
 * const { publicKey, privateKey } = await generateKeyPair()
 * const envelope = await seal("hello", { to: publicKey })
 *
 * const opened = await open(envelope, { with: privateKey, replay })
 * opened.text() // "hello"
 * const reply = await opened.reply("welcome")
 * ```
 */
export async function open(envelope: string, options: OpenOptions): Promise<Opened> {
  assertOptions(options, "options", OPTIONS)
  const { with: reader, context = "", replay, signedBy, knownSigners, maxMessageBytes } = options
  assertGuard(replay)
  const received = await receive(envelope, {
    type: "sw1",
    maxMessageBytes: messageLimit(maxMessageBytes),
    select: keySelector(reader),
    contextHash: readContext(context).hash,
    replay,
    ...signerPolicy(signedBy, knownSigners),
  })
  return received.admit() // step 8
}
