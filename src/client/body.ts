/**
 * Bodies of outer answers: bytes that nobody vouches for yet, within a limit that is kept on the stream.
 *
 * @module
 */

import { type Bytes, join } from "../base/bytes.ts"

const decoder = new TextDecoder()

/** Bytes of an outer answer as text, of which only ASCII means anything. */
export const decodeBody = (bytes: Bytes): string => decoder.decode(bytes)

/** Told how many bytes have arrived. */
export type OnBytes = (receivedBytes: number) => void

/** Drops what is left of an answer, so that its connection is free again. */
export function discard(response: Response): void {
  // a body that is locked or broken is as good as gone
  response.body?.cancel().catch(() => undefined)
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** Reads until `isEnough`, or the end; undefined beyond the limit. */
export async function readUntil(
  reader: Reader,
  maxBytes: number,
  onBytes: OnBytes,
  isEnough: (chunk: Uint8Array) => boolean,
): Promise<Bytes | undefined> {
  const chunks: Uint8Array[] = []
  for (let received = 0; ;) {
    const { done, value } = await reader.read()
    if (done) return join(chunks)
    chunks.push(value)
    received += value.length
    onBytes(received)
    if (received > maxBytes) {
      await reader.cancel().catch(() => undefined)
      return undefined
    }
    if (isEnough(value)) return join(chunks)
  }
}

/** The whole body as text; undefined beyond the limit. */
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
  return bytes && bytes.length <= maxBytes ? decodeBody(bytes) : undefined
}
