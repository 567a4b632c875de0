/**
 * Bodies of outer answers: bytes that nobody vouches for yet, within a limit that is kept on the stream.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"

const LINE_FEED = 0x0a
const decoder = new TextDecoder()

/** Told how many bytes have arrived. */
export type OnBytes = (receivedBytes: number) => void

/** Drops what is left of an answer, so that its connection is free again. */
export function discard(response: Response): void {
  // a body that is locked or broken is as good as gone
  response.body?.cancel().catch(() => undefined)
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** Reads until `isEnough`, or the end; undefined beyond the limit. */
async function readUntil(
  reader: Reader,
  maxBytes: number,
  onBytes: OnBytes,
  isEnough: (chunk: Uint8Array) => boolean,
): Promise<Bytes | undefined> {
  const chunks: Bytes[] = []
  for (let received = 0; ;) {
    const { done, value } = await reader.read()
    if (done) return concat(...chunks)
    chunks.push(new Uint8Array(value))
    received += value.length
    onBytes(received)
    if (received > maxBytes) {
      await reader.cancel().catch(() => undefined)
      return undefined
    }
    if (isEnough(value)) return concat(...chunks)
  }
}

/** The whole body as text, of which only ASCII means anything; undefined beyond the limit. */
export async function readText(
  response: Response,
  maxBytes: number,
  onBytes: OnBytes = () => undefined,
): Promise<string | undefined> {
  if (Number(response.headers.get("content-length")) > maxBytes) return undefined
  // some `fetch`es, such as React Native's, have no streams
  const bytes = response.body
    ? await readUntil(response.body.getReader(), maxBytes, onBytes, () => false)
    : new Uint8Array(await response.arrayBuffer())
  return bytes && bytes.length <= maxBytes ? decoder.decode(bytes) : undefined
}

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
  return { line: decoder.decode(start.subarray(0, end)), rest }
}
