/**
 * Frames in a byte stream: each behind `u32(its length)`, an end frame at the end. docs/protocol.md §9.
 * A stream without its end was cut: that is an error, not an end.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { openFailed, SealwireError } from "../base/errors.ts"
import { FRAME_KINDS, FRAME_OVERHEAD_BYTES, type FrameOpener, type FrameSealer } from "./frame.ts"

/** Largest frame, its overhead included, that is written or accepted: 1 MiB. */
const MAX_FRAME_BYTES = 1024 * 1024
const MAX_PAYLOAD_BYTES = MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES

function prefixed(frame: Bytes): Bytes {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, frame.length)
  return concat(length, frame)
}

/** Bytes → framed bytes. A chunk becomes one frame, or several where it is too large for one. */
export function sealFrames(source: ReadableStream<Uint8Array>, sealer: FrameSealer): ReadableStream<Bytes> {
  const { binary, end } = FRAME_KINDS
  return source.pipeThrough(
    new TransformStream<Uint8Array, Bytes>({
      async transform(chunk, controller) {
        for (let at = 0; at < chunk.length; at += MAX_PAYLOAD_BYTES) {
          const payload = new Uint8Array(chunk.subarray(at, at + MAX_PAYLOAD_BYTES))
          controller.enqueue(prefixed(await sealer.seal(binary, payload)))
        }
      },
      async flush(controller) {
        controller.enqueue(prefixed(await sealer.seal(end)))
      },
    }),
  )
}

/** Takes whole frames out of chunks of any size. */
class FrameReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #held: Bytes = new Uint8Array(0)

  constructor(source: ReadableStream<Uint8Array>) {
    this.#reader = source.getReader()
  }

  /** The next frame; undefined where the stream ends, wherever that is. */
  async next(): Promise<Bytes | undefined> {
    if (!(await this.#fill(4))) return undefined
    const length = new DataView(this.#held.buffer, this.#held.byteOffset).getUint32(0)
    if (length > MAX_FRAME_BYTES) throw openFailed()
    if (!(await this.#fill(4 + length))) return undefined
    const frame = this.#held.subarray(4, 4 + length)
    this.#held = this.#held.subarray(4 + length)
    return frame
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason)
  }

  /** Whether nothing at all is left. */
  async isEmpty(): Promise<boolean> {
    return !(await this.#fill(1))
  }

  async #fill(length: number): Promise<boolean> {
    if (this.#held.length >= length) return true
    const chunks = [this.#held]
    let had = this.#held.length
    while (had < length) {
      const { done, value } = await this.#reader.read()
      if (done) break
      chunks.push(new Uint8Array(value))
      had += value.length
    }
    this.#held = concat(...chunks)
    return had >= length
  }
}

async function openNext(frames: FrameReader, opener: FrameOpener): Promise<Bytes | undefined> {
  let frame: Bytes | undefined
  try {
    frame = await frames.next()
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw truncated(cause)
  }
  if (!frame) throw truncated()
  const { payload } = await opener.open(frame)
  if (!opener.ended) return payload
  if (!(await frames.isEmpty())) throw openFailed()
  return undefined
}

const truncated = (cause?: unknown): SealwireError =>
  new SealwireError("ERR_TRUNCATED", "the stream was cut before its sealed end", cause ? { cause } : {})

/**
 * Framed bytes → bytes. Every chunk is authentic; the stream ends only at the sealed end.
 *
 * The stream errors with `SealwireError` `ERR_TRUNCATED` where the source ends or breaks earlier, `ERR_OPEN_FAILED` for
 * anything but the peer's next frame.
 */
export function openFrames(source: ReadableStream<Uint8Array>, opener: FrameOpener): ReadableStream<Bytes> {
  const frames = new FrameReader(source)
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const payload = await openNext(frames, opener)
        if (payload) controller.enqueue(payload)
        else controller.close()
      } catch (error) {
        controller.error(error)
        // what the source says to that is not the reader's problem
        await frames.cancel(error).catch(() => undefined)
      }
    },
    cancel: (reason) => frames.cancel(reason),
  })
}
