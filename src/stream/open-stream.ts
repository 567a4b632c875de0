/**
 * Opening a stream: the head, which says who may read and who has sealed, then chunk by chunk. docs/protocol.md §10.
 *
 * @module
 */

import { type Bytes, equalConstantTime } from "../base/bytes.ts"
import { openFailed } from "../base/errors.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import type { Backend } from "../crypto/backend.ts"
import { TAG_BYTES } from "../crypto/sizes.ts"
import {
  HEAD_OPTIONS,
  type HeadOptions,
  headOpener,
  type StreamEnd,
  type StreamHead,
} from "../envelope/stream.ts"
import { type BodyKeys, deriveBodyKeys } from "./body-keys.ts"
import { ByteReader } from "./byte-reader.ts"
import { type Batch, bodyFailed, createChunkCipher } from "./chunk-cipher.ts"
import {
  BODY_HEAD_BYTES,
  CHUNK_BYTES,
  envelopeOf,
  findHeadEnd,
  openedBodyBytes,
  SALT_BYTES,
  SEALED_CHUNK_BYTES,
} from "./layout.ts"
import { type PieceReader, readPieces } from "./pieces.ts"
import type { AbortSignalLike, ByteSource, ByteStream } from "./platform.ts"
import { readableOf, stopOnAbort } from "./readable.ts"

/** Options of {@link openStream}. */
export interface OpenStreamOptions extends HeadOptions {
  /** Called after each piece with the bytes of plaintext so far. What it throws ends the stream. */
  readonly onProgress?: (plaintextBytes: number) => void
  /** Ends the work: the stream fails with the signal's reason, and the source is cancelled. */
  readonly signal?: AbortSignalLike
}

/** The names of {@link OpenStreamOptions}. */
export const OPEN_STREAM_OPTIONS: readonly string[] = [...HEAD_OPTIONS, "onProgress", "signal"]

/** A stream whose head is authentic, and whose body is read and proven piece by piece. */
export interface OpenedStream extends StreamHead {
  /**
   * The plaintext. Every byte of it is authentic, but only its end proves that it is all: until then it may turn out cut short,
   * and fail with `ERR_OPEN_FAILED`.
   */
  readonly stream: ByteStream
}

/**
 * The keys of a body.
 *
 * @throws `SealwireError` `ERR_OPEN_FAILED` unless the commitment is to the key, head and salt.
 */
export function openBodyHead(inputKey: Bytes, context: Bytes, bodyHead: Bytes): BodyKeys {
  if (bodyHead.length < BODY_HEAD_BYTES) throw bodyFailed()
  const keys = deriveBodyKeys(inputKey, bodyHead.subarray(0, SALT_BYTES), context)
  if (!equalConstantTime(keys.commitment, bodyHead.subarray(SALT_BYTES))) throw bodyFailed()
  return keys
}

/** The plaintext of all chunks of a body. Ends only after the last one has proven that it is the last. */
export async function* openChunks(
  backend: Backend,
  keys: BodyKeys,
  reader: ByteReader,
  onProgress?: (plaintextBytes: number) => void,
): AsyncGenerator<Batch> {
  const cipher = await createChunkCipher(backend, keys)
  let index = 0
  for (;;) {
    const { whole, rest } = await reader.takeChunks()
    const plaintext = await cipher.open(index, rest ? [rest] : whole)
    const restBytes = rest ? rest.length - TAG_BYTES : 0
    if (!rest || restBytes > 0) yield plaintext
    index += whole.length
    onProgress?.(index * CHUNK_BYTES + restBytes)
    if (rest) return
  }
}

/** The plaintext of a body, as that of {@link openChunks}. */
export async function* openBody(
  { backend, key }: Pick<StreamEnd, "backend" | "key">,
  context: Bytes,
  reader: ByteReader,
  onProgress?: (plaintextBytes: number) => void,
): AsyncGenerator<Batch> {
  const keys = openBodyHead(key, context, await reader.take(BODY_HEAD_BYTES))
  yield* openChunks(backend, keys, reader, onProgress)
}

/** What opening a source gives before its body is read. */
export interface OpenedSource {
  readonly head: StreamHead
  readonly headBytes: number
  readonly end: StreamEnd
  readonly context: Bytes
  /** Stands where the body begins. */
  readonly reader: ByteReader
}

/** Reads the options now, and gives the function that opens the head of a source. */
export function streamOpener(options: OpenStreamOptions): (pieces: PieceReader) => Promise<OpenedSource> {
  const { onProgress } = options
  if (onProgress !== undefined) assertFunction(onProgress, "options.onProgress")
  const openHead = headOpener(options)
  return async (pieces) => {
    const reader = new ByteReader(pieces, SEALED_CHUNK_BYTES)
    const start = await reader.takeHead(findHeadEnd)
    if (!start) throw openFailed()
    const { head, end } = await openHead(envelopeOf(start))
    return { head, headBytes: start.length, end, context: await end.backend.sha256(start), reader }
  }
}

/**
 * Opens what `sealStream` or `sealFile` made, as it arrives: proves the head first, then gives out each chunk once it is
 * authentic.
 *
 * > [!WARNING]
 * > Do not act on a part as if it were the whole: only the end of the stream proves that nothing was cut off.
 *
 * @param source - A `ReadableStream`, a `Blob` or `File`, a Node stream, or an async iterable, of `Uint8Array`s.
 * @throws `SealwireError`
 *   `ERR_OPEN_FAILED` not a stream for this key and context, or not signed as required; which, is never told;
 *   `ERR_MESSAGE_FORMAT` its metadata is not a JSON object; `ERR_KEY_UNAVAILABLE` a key service or the look-up of signers was
 *   not reached; the guard's codes where `replay` is given.
 *   `TypeError` for a wrong argument. Also the reason of `signal`, and what the source threw.
 */
export async function openStream(source: ByteSource, options: OpenStreamOptions): Promise<OpenedStream> {
  assertOptions(options, "options", OPEN_STREAM_OPTIONS)
  const { signal, onProgress } = options
  const open = streamOpener(options)
  const pieces = readPieces(source)
  const unwatch = stopOnAbort(pieces, signal)
  try {
    const { head, end, context, reader } = await open(pieces)
    return { ...head, stream: readableOf(openBody(end, context, reader, onProgress), pieces, signal) }
  } catch (error) {
    pieces.stop(error).catch(() => undefined)
    throw error
  } finally {
    unwatch()
  }
}

/**
 * How many bytes of plaintext a sealed file of that size has. Takes no key, and proves nothing: that is for opening.
 *
 * @param sealedBytes - The size of the whole file.
 * @param start - Its first bytes, as many as its head has: 2 KiB are enough where there is little metadata, 100 KB always.
 * @returns `undefined` when they are not the start of a sealed file, or too little of it, or no file has that size.
 * @throws `RangeError` for what is no size.
 */
export function openedSize(sealedBytes: number, start: Uint8Array): number | undefined {
  assertInteger(sealedBytes, "sealedBytes", 0, Number.MAX_SAFE_INTEGER)
  const headBytes = findHeadEnd(new Uint8Array(start))
  return headBytes ? openedBodyBytes(sealedBytes - headBytes) : undefined
}
