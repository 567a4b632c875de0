/**
 * Receiving an envelope in two halves: what is authentic (steps 1 to 7 of docs/protocol.md §3.4), then whether it counts (step 8).
 * Between them a protocol built on this one compares what the message says with how it came, and can already answer sealed.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { openFailed } from "../base/errors.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import { claimIdOf } from "./digest.ts"
import type { EnvelopeEnd } from "./exporter.ts"
import { Opened } from "./opened.ts"
import { type Authentic, type Reading, tryRead } from "./read.ts"
import { sealReply } from "./reply.ts"
import { signerReader, type SignerPolicy } from "./signer.ts"

/** What a receiver expects, and the guard that decides. */
export interface Receiving extends Omit<Reading, "isNear" | "readSigner">, SignerPolicy {
  readonly replay: ReplayGuard
}

/** An authentic message that does not count yet: to compare, and to refuse by a sealed reply. Never to act on. */
export interface Received {
  readonly authentic: Authentic
  readonly envelope: string
  /** The reading of the guard's clock by which it is judged, in Unix milliseconds. */
  readonly nowMs: number
  /**
   * Seals a reply, and keeps what a stream of frames behind it needs (§9).
   *
   * @param context - Default: the envelope.
   */
  reply(message: string | Uint8Array, context?: Bytes): Promise<EnvelopeEnd>
  /**
   * Step 8.
   *
   * @throws `SealwireError` `ERR_STALE`, `ERR_REPLAYED`, `ERR_QUARANTINED`, `ERR_STORE`, `ERR_STORE_FULL` or `ERR_NO_SESSION`.
   */
  admit(): Promise<Opened>
}

/**
 * Steps 1 to 7; undefined for whatever fails there.
 *
 * @throws `SealwireError` `ERR_KEY_UNAVAILABLE`; `ERR_NO_SESSION`.
 */
export async function tryReceive(envelope: string, receiving: Receiving): Promise<Received | undefined> {
  const { replay, type, maxMessageBytes, select, contextHash } = receiving
  const nowMs = replay.now()
  const authentic = await tryRead(envelope, {
    type,
    maxMessageBytes,
    select,
    contextHash,
    readSigner: signerReader(receiving),
    isNear: (issuedAtSeconds) => replay.isNear(issuedAtSeconds, nowMs),
  })
  if (!authentic) return undefined
  const { header, seed, selected } = authentic
  const { backend, madeAtMs: keyMadeAtMs } = selected
  const { kid, id, issuedAtSeconds } = header
  const reply = (message: string | Uint8Array, context?: Bytes): Promise<EnvelopeEnd> =>
    sealReply({ backend, envelope, seed, kid }, message, context)
  return {
    authentic,
    envelope,
    nowMs,
    reply,
    async admit() {
      const claimId = await claimIdOf(backend, kid, id)
      await replay.admit({ claimId, issuedAtSeconds, nowMs, keyMadeAtMs })
      await selected.session?.touch()
      return new Opened(authentic, async (message) => (await reply(message)).envelope)
    },
  }
}

/**
 * Steps 1 to 7.
 *
 * @throws `SealwireError` `ERR_OPEN_FAILED`, always the same; `ERR_KEY_UNAVAILABLE`; `ERR_NO_SESSION`.
 */
export async function receive(envelope: string, receiving: Receiving): Promise<Received> {
  const received = await tryReceive(envelope, receiving)
  if (!received) throw openFailed()
  return received
}
