/**
 * Answers that are streams: a reply, a line feed, and frames. docs/protocol.md §9.
 * Loaded with the first of them, so that a page whose answers come whole never pays for it.
 *
 * @module
 */

import { type Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import { exportSecret } from "../envelope/exporter.ts"
import type { Authentic } from "../envelope/read.ts"
import { openFrames } from "../frames/byte-stream.ts"
import { FrameOpener } from "../frames/frame.ts"
import { decodeBody, type OnBytes, readUntil } from "./body.ts"
import type { Deadline } from "./deadline.ts"

const LINE_FEED = 0x0a

/** The first line, and the stream of what follows it; undefined where there is no such line within the limit. */
export async function splitLine(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  onBytes: OnBytes,
): Promise<{ readonly line: string; readonly rest: ReadableStream<Uint8Array> } | undefined> {
  const reader = body.getReader()
  const start = await readUntil(reader, maxBytes, onBytes, (chunk) => chunk.includes(LINE_FEED))
  const end = start?.indexOf(LINE_FEED) ?? -1
  if (!start || end < 0) {
    await reader.cancel().catch(() => undefined)
    return undefined
  }
  let received = start.length
  const rest = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(start.subarray(end + 1)),
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) {
        controller.close()
        return
      }
      onBytes((received += value.length))
      controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return { line: decodeBody(start.subarray(0, end)), rest }
}

/** A stream that ends with the caller's signal, also where the answer's source knows none; then lets go of the deadline. */
function abortable(source: ReadableStream<Bytes>, deadline: Deadline): ReadableStream<Bytes> {
  const reader = source.getReader()
  const { signal } = deadline
  return new ReadableStream<Bytes>({
    start(controller) {
      signal.addEventListener("abort", () => {
        controller.error(signal.reason)
        reader.cancel(signal.reason).catch(() => undefined)
      })
    },
    async pull(controller) {
      try {
        const { done, value } = await deadline.wait(reader.read())
        if (!done) {
          controller.enqueue(value)
          return
        }
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      deadline.end()
    },
    cancel(reason) {
      deadline.end()
      return reader.cancel(reason)
    },
  })
}

/** The stream behind a reply, which takes its keys from it; the deadline goes on for as long as the stream does. */
export async function openBehind(
  reply: string,
  { selected: { backend }, seed }: Authentic,
  rest: ReadableStream<Uint8Array>,
  deadline: Deadline,
): Promise<ReadableStream<Bytes>> {
  const secret = await exportSecret(backend, encodeAscii(reply), seed)
  return abortable(openFrames(rest, new FrameOpener(backend, secret, "s2c")), deadline)
}
