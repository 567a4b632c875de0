/**
 * A sealed file in parts of one size, for uploads that send a part again when it did not arrive.
 *
 * Sealing is done once. Doing it again from where it stopped would use a nonce twice if the plaintext had changed meanwhile, so a
 * part that is to be sent again is kept, in memory here or in a sealed file on disk, and never made again.
 *
 * @module
 */

import { assertInteger, assertOptions } from "../base/options.ts"
import { type Batch, joinBatch } from "./chunk-cipher.ts"
import { readPieces } from "./pieces.ts"
import type { ByteSource } from "./platform.ts"
import { stopOnAbort } from "./readable.ts"
import { SEAL_STREAM_OPTIONS, type SealStreamOptions, streamSealer } from "./seal-stream.ts"

/** Options about parts. */
export interface PartOptions {
  /** Size of every part but the last, in bytes: 1 to 1,073,741,824. Default: 8,388,608. */
  readonly partBytes?: number
}

/** A piece of a sealed file. */
export interface SealedPart {
  /** Which one it is, from 0 on. */
  readonly index: number
  /** Where in the sealed file it begins. */
  readonly offset: number
  /** An array of its own: to keep until the other side has it. */
  readonly bytes: Uint8Array
  /** Whether the sealed file ends with it. */
  readonly last: boolean
}

const DEFAULT_PART_BYTES = 8 * 1024 * 1024
const MOST_PART_BYTES = 1024 * 1024 * 1024

/** Reads the option `partBytes`. */
export function partSize({ partBytes = DEFAULT_PART_BYTES }: PartOptions): number {
  assertInteger(partBytes, "options.partBytes", 1, MOST_PART_BYTES)
  return partBytes
}

/** Cuts what is sealed into parts; the last one may be empty only where there is no other. */
export async function* cutParts(
  sealed: AsyncIterable<Batch>,
  partBytes: number,
  first: Pick<SealedPart, "index" | "offset"> = { index: 0, offset: 0 },
): AsyncGenerator<SealedPart> {
  let { index, offset } = first
  let bytes = new Uint8Array(partBytes)
  let length = 0
  for await (const batch of sealed) {
    let piece = joinBatch(batch)
    while (piece.length > 0) {
      if (length === partBytes) {
        yield { index, offset, bytes, last: false }
        index++
        offset += length
        bytes = new Uint8Array(partBytes)
        length = 0
      }
      const part = piece.subarray(0, partBytes - length)
      bytes.set(part, length)
      length += part.length
      piece = piece.subarray(part.length)
    }
  }
  yield { index, offset, bytes: bytes.slice(0, length), last: true }
}

/**
 * Seals a stream as `sealStream` does, in parts to upload one after the other. Each is kept in memory by who holds it, so it can
 * be sent again; the next is sealed when it is asked for.
 *
 * @throws `TypeError` or `RangeError` for a wrong argument. What goes wrong later is thrown by the generator.
 * @example
 * ```ts
 * import { generateKeyPair } from "sealwire"
 * import { sealParts } from "sealwire/stream"
 *
 * const { publicKey } = await generateKeyPair()
 * const send = async (part: Uint8Array, offset: number) => {} // retries until the server has it
 * for await (const { bytes, offset } of sealParts(new Blob(["…"]), { to: publicKey, partBytes: 5_242_880 })) {
 *   await send(bytes, offset)
 * }
 * ```
 */
export function sealParts(
  source: ByteSource,
  options: SealStreamOptions & PartOptions,
): AsyncGenerator<SealedPart> {
  assertOptions(options, "options", [...SEAL_STREAM_OPTIONS, "partBytes"])
  const partBytes = partSize(options)
  const { signal } = options
  const seal = streamSealer(options)
  const pieces = readPieces(source)
  return (async function* () {
    const unwatch = stopOnAbort(pieces, signal)
    try {
      yield* cutParts(seal(pieces), partBytes)
    } finally {
      unwatch()
      // does nothing at the end; otherwise nobody reads on
      pieces.stop(undefined).catch(() => undefined)
    }
  })()
}
