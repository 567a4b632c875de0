/**
 * The start of a body: all of it where it is short and soon over, else what is there and the rest as a stream.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"

/** A body, as far as it was worth waiting for. */
export interface BodyStart {
  /** Everything, unless there is a {@link BodyStart.rest}. */
  readonly start: readonly Bytes[]
  /** The whole body, what was read included; undefined when it has ended. */
  readonly rest: ReadableStream<Uint8Array> | undefined
}

type Step = ReadableStreamReadResult<Uint8Array>

const copy = (chunk: Uint8Array): Bytes => new Uint8Array(chunk)

/** Goes on where reading stopped: first what was read, then the read under way, then the rest. */
function resume(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  chunks: Bytes[],
  pending: Promise<Step> | undefined,
): ReadableStream<Uint8Array> {
  let next = pending
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
    },
    async pull(controller) {
      const { done, value } = await (next ?? reader.read())
      next = undefined
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** Reads up to `limitBytes`, for at most `waitMs`. */
export async function readStart(
  body: ReadableStream<Uint8Array> | null,
  limitBytes: number,
  waitMs: number,
): Promise<BodyStart> {
  if (!body) return { start: [], rest: undefined }
  const reader = body.getReader()
  const chunks: Bytes[] = []
  let length = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined)
    }, waitMs)
  })
  try {
    while (length <= limitBytes) {
      const pending = reader.read()
      const step = await Promise.race([pending, late])
      if (!step) return { start: [], rest: resume(reader, chunks, pending) }
      if (step.done) return { start: chunks, rest: undefined }
      chunks.push(copy(step.value))
      length += step.value.length
    }
    return { start: [], rest: resume(reader, chunks, undefined) }
  } finally {
    clearTimeout(timer)
  }
}
