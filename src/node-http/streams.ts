/**
 * A Node stream as a Web stream that is read only when asked: nothing is taken from a source that nobody reads.
 *
 * @module
 */

import type { Readable } from "node:stream"

/**
 * The chunks of a source, one for each read.
 *
 * Does not end the source when it is given up: destroying a request would take the connection from its answer.
 */
export function streamOf(source: Readable, giveUp: () => void = () => undefined): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array, undefined> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        chunks ??= source.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array, undefined>
        const step = await chunks.next()
        if (step.done) controller.close()
        else controller.enqueue(step.value)
      },
      cancel() {
        // not awaited: it waits for a read that may never come
        chunks?.return?.().catch(() => undefined)
        giveUp()
      },
    },
    { highWaterMark: 0 },
  )
}
