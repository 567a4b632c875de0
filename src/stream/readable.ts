/**
 * A `ReadableStream` over a generator that reads a source: asks when it is asked, stops when it is stopped.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { type Batch, joinBatch } from "./chunk-cipher.ts"
import type { PieceReader } from "./pieces.ts"
import type { AbortSignalLike, ByteStream } from "./platform.ts"

/** Stops the reader when the signal says so; gives the function that ends the watch. */
export function stopOnAbort(
  pieces: Pick<PieceReader, "stop">,
  signal: AbortSignalLike | undefined,
  onStop?: (reason: unknown) => void,
): () => void {
  const stop = (): void => {
    onStop?.(signal?.reason)
    pieces.stop(signal?.reason).catch(() => undefined)
  }
  if (signal?.aborted) stop()
  else signal?.addEventListener("abort", stop)
  return () => signal?.removeEventListener("abort", stop)
}

/** Makes the stream. A failure of the generator stops the source, and every later read fails as that one did. */
export function readableOf(
  generator: AsyncGenerator<Batch>,
  pieces: Pick<PieceReader, "stop">,
  signal: AbortSignalLike | undefined,
): ByteStream {
  let unwatch: () => void = () => undefined
  return new ReadableStream<Bytes>({
    start(controller) {
      unwatch = stopOnAbort(pieces, signal, (reason) => controller.error(reason))
    },
    async pull(controller) {
      try {
        const next = await generator.next()
        if (next.done === true) {
          unwatch()
          controller.close()
        } else controller.enqueue(joinBatch(next.value))
      } catch (error) {
        unwatch()
        pieces.stop(error).catch(() => undefined)
        throw error
      }
    },
    cancel(reason) {
      unwatch()
      return pieces.stop(reason)
    },
  })
}
