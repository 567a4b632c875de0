/**
 * Random access: opens only the chunks that a range touches. docs/protocol.md §10.
 *
 * @module
 */

import { type Bytes, isBytes } from "../base/bytes.ts"
import { openFailed } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { HEAD_OPTIONS, type HeadOptions, headOpener, type StreamHead } from "../envelope/stream.ts"
import {
  type Batch,
  BATCH_CHUNKS,
  bodyFailed,
  type ChunkCipher,
  createChunkCipher,
  joinBatch,
} from "./chunk-cipher.ts"
import {
  BODY_HEAD_BYTES,
  CHUNK_BYTES,
  envelopeOf,
  findHeadEnd,
  MAX_HEAD_BYTES,
  openedBodyBytes,
  SEALED_CHUNK_BYTES,
  sealedChunkAt,
} from "./layout.ts"
import { openBodyHead } from "./open-stream.ts"
import type { BlobLike, ByteStream } from "./platform.ts"
import { readableOf } from "./readable.ts"

/** Something that is read anywhere, such as a file, or an object in a store that takes range requests. */
export interface RandomReader {
  /** Bytes of all of it. Must not change while it is read. */
  readonly size: number
  /** Reads `length` bytes from `offset` on: never beyond `size`, and several at a time. Anything thrown is passed on. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** A sealed file, open for reading anywhere. */
export interface OpenedRange extends StreamHead {
  /** Bytes of plaintext; authentic, as the metadata is. */
  readonly size: number
  /**
   * Opens a range; as much of it as there is, where it reaches beyond the end.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED` when a chunk that it touches was altered; `RangeError` for no range.
   */
  read(offset: number, length: number): Promise<Uint8Array>
  /** Opens a range of any length as a stream. Default: from the beginning, to the end. */
  stream(offset?: number, length?: number): ByteStream
}

/** What is enough for most heads. */
const FIRST_READ_BYTES = 4096

type Read = (start: number, end: number) => Promise<Bytes>

/** Reads a source by start and end. Less than asked for means that it was cut after its size was told. */
function readerOf(source: BlobLike | RandomReader): Read {
  const given: unknown = source
  if (typeof given !== "object" || given === null || !("read" in source || "arrayBuffer" in source)) {
    throw new TypeError(`source must be a Blob or a reader with size and read, not ${describe(given)}`)
  }
  assertInteger(source.size, "source.size", 0, Number.MAX_SAFE_INTEGER)
  return async (start, end) => {
    const read =
      "read" in source
        ? await source.read(start, end - start)
        : new Uint8Array(await source.slice(start, end).arrayBuffer())
    if (!isBytes(read)) throw new TypeError(`source.read must give a Uint8Array, not ${describe(read)}`)
    if (read.length !== end - start) throw bodyFailed()
    // a copy, because what a reader gives may be a buffer that it uses again
    return "read" in source ? new Uint8Array(read) : (read as Bytes)
  }
}

async function readHead(read: Read, size: number): Promise<Bytes> {
  for (let bytes = FIRST_READ_BYTES; ; bytes = Math.min(bytes * 8, MAX_HEAD_BYTES)) {
    const start = await read(0, Math.min(bytes, size))
    const end = findHeadEnd(start)
    if (end === 0 || (end === undefined && start.length === size)) throw openFailed()
    if (end !== undefined) return start.subarray(0, end)
  }
}

interface Body {
  readonly read: Read
  readonly cipher: ChunkCipher
  /** Where the first chunk begins. */
  readonly start: number
  /** Bytes of plaintext. */
  readonly size: number
}

/** Opens the chunks that a range touches, some at a time, and cuts off what is outside. */
async function* openChunks(
  { read, cipher, start, size }: Body,
  from: number,
  to: number,
): AsyncGenerator<Batch> {
  if (from >= to) return
  for (let index = Math.floor(from / CHUNK_BYTES); index * CHUNK_BYTES < to;) {
    const count = Math.min(BATCH_CHUNKS, Math.ceil(to / CHUNK_BYTES) - index)
    const [first] = sealedChunkAt(index, size)
    const [, end] = sealedChunkAt(index + count - 1, size)
    const sealed = await read(start + first, start + end)
    const plaintext = joinBatch(await cipher.open(index, cut(sealed)))
    const base = index * CHUNK_BYTES
    yield [plaintext.subarray(Math.max(from - base, 0), to - base)]
    index += count
  }
}

function cut(sealed: Bytes): Bytes[] {
  return Array.from({ length: Math.ceil(sealed.length / SEALED_CHUNK_BYTES) }, (_, i) =>
    sealed.subarray(i * SEALED_CHUNK_BYTES, (i + 1) * SEALED_CHUNK_BYTES),
  )
}

/** The last chunk, even an empty one, opens only at its own index: that proves the size. */
async function assertSize({ read, cipher, start, size }: Body): Promise<void> {
  const last = Math.floor(size / CHUNK_BYTES)
  const [from, to] = sealedChunkAt(last, size)
  await cipher.open(last, [await read(start + from, start + to)])
}

function rangeEnd(size: number, offset: number, length: number): number {
  assertInteger(offset, "offset", 0, Number.MAX_SAFE_INTEGER)
  assertInteger(length, "length", 0, Number.MAX_SAFE_INTEGER)
  return Math.min(offset + length, size)
}

/**
 * Opens a sealed file for reading anywhere. Reads its head and its last chunk now, which proves its size, and later only the
 * chunks that a range touches: a change elsewhere is not noticed.
 *
 * @param source - A `Blob` or `File`, or anything that reads at an offset.
 * @throws `SealwireError` as `openStream` does; `TypeError` for a wrong argument; what the source throws.
 * @example
 * ```ts
 * import { generateKeyPair } from "sealwire"
 * import { openRange, sealStream } from "sealwire/stream"
 *
 * const { publicKey, privateKey } = await generateKeyPair()
 * const sealed = await new Response(sealStream(new Blob(["one two three"]), { to: publicKey })).blob()
 *
 * const opened = await openRange(sealed, { with: privateKey })
 * opened.size // 13
 * new TextDecoder().decode(await opened.read(4, 3)) // "two"
 * ```
 */
export async function openRange(source: BlobLike | RandomReader, options: HeadOptions): Promise<OpenedRange> {
  assertOptions(options, "options", HEAD_OPTIONS)
  const openHead = headOpener(options)
  const read = readerOf(source)
  const sealedBytes = source.size
  const headBytes = await readHead(read, sealedBytes)
  const { head, end } = await openHead(envelopeOf(headBytes))
  const size = openedBodyBytes(sealedBytes - headBytes.length)
  if (size === undefined) throw bodyFailed()
  const start = headBytes.length + BODY_HEAD_BYTES
  const context = await end.backend.sha256(headBytes)
  const keys = openBodyHead(end.key, context, await read(headBytes.length, start))
  const body = { read, cipher: await createChunkCipher(end.backend, keys), start, size }
  await assertSize(body)
  return {
    ...head,
    size,
    async read(offset, length) {
      const to = rangeEnd(size, offset, length)
      const range = new Uint8Array(Math.max(to - offset, 0))
      let filled = 0
      for await (const batch of openChunks(body, offset, to)) {
        const part = joinBatch(batch)
        range.set(part, filled)
        filled += part.length
      }
      return range
    },
    stream(offset = 0, length = size) {
      const chunks = openChunks(body, offset, rangeEnd(size, offset, length))
      return readableOf(chunks, { stop: () => Promise.resolve() }, undefined)
    },
  }
}
