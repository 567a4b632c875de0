/**
 * Sealing a stream: the head, then the body in chunks. docs/protocol.md §10.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import type { Backend } from "../crypto/backend.ts"
import type { SealOptions } from "../envelope/seal.ts"
import {
  headCharacters,
  headSealer,
  serializeMetadata,
  type StreamEnd,
  type StreamMetadata,
} from "../envelope/stream.ts"
import type { Fresh } from "../envelope/write.ts"
import { type BodyKeys, deriveBodyKeys } from "./body-keys.ts"
import { ByteReader } from "./byte-reader.ts"
import { type Batch, createChunkCipher } from "./chunk-cipher.ts"
import { CHUNK_BYTES, headBytesOf, SALT_BYTES, sealedBodyBytes, serializeHead } from "./layout.ts"
import { type PieceReader, readPieces } from "./pieces.ts"
import type { AbortSignalLike, ByteSource, ByteStream } from "./platform.ts"
import { readableOf } from "./readable.ts"

/** Options of {@link sealStream}: those of `seal`, and what only streams have. */
export interface SealStreamOptions extends Pick<SealOptions, "to" | "context" | "signWith"> {
  /** What the reader is told beside the bytes, such as a name and a type: sealed, up to 64 KiB as JSON. Default: `{}`. */
  readonly metadata?: StreamMetadata
  /** Called after each piece with the bytes of plaintext so far. What it throws ends the stream. */
  readonly onProgress?: (plaintextBytes: number) => void
  /** Ends the work: the stream fails with the signal's reason, and the source is cancelled. */
  readonly signal?: AbortSignalLike
}

/** The names of {@link SealStreamOptions}. */
export const SEAL_STREAM_OPTIONS: readonly string[] = [
  "to",
  "context",
  "signWith",
  "metadata",
  "onProgress",
  "signal",
]

/** What is different in each file; given so that known answers can be reproduced, and it must never repeat. */
export interface FreshStream {
  readonly head?: Partial<Fresh>
  readonly salt?: Bytes
}

/** What stands before the chunks of a body, and what they are sealed under. */
export function sealBodyHead(
  inputKey: Bytes,
  context: Bytes,
  salt: Bytes,
): { readonly keys: BodyKeys; readonly bodyHead: Bytes } {
  const keys = deriveBodyKeys(inputKey, salt, context)
  return { keys, bodyHead: concat(salt, keys.commitment) }
}

/** All chunks of a body. */
export async function* sealChunks(
  backend: Backend,
  keys: BodyKeys,
  pieces: PieceReader,
  onProgress?: (plaintextBytes: number) => void,
): AsyncGenerator<Batch> {
  const cipher = await createChunkCipher(backend, keys)
  const reader = new ByteReader(pieces, CHUNK_BYTES)
  let index = 0
  for (;;) {
    const { whole, rest } = await reader.takeChunks()
    yield await cipher.seal(index, rest ? [rest] : whole)
    index += whole.length
    onProgress?.(index * CHUNK_BYTES + (rest?.length ?? 0))
    if (rest) return
  }
}

/** The body of a stream whose head is known, under a salt that must be new. */
export async function* sealBody(
  { backend, key }: Pick<StreamEnd, "backend" | "key">,
  context: Bytes,
  salt: Bytes,
  pieces: PieceReader,
  onProgress?: (plaintextBytes: number) => void,
): AsyncGenerator<Batch> {
  const { keys, bodyHead } = sealBodyHead(key, context, salt)
  yield [bodyHead]
  yield* sealChunks(backend, keys, pieces, onProgress)
}

/** A stream whose head is sealed, and what its body is sealed with. */
export interface StartedStream {
  readonly head: Bytes
  readonly end: StreamEnd
  readonly context: Bytes
  readonly salt: Bytes
}

/** Reads the options now, and gives the function that seals a head. */
export function streamStarter(options: SealStreamOptions): (fresh?: FreshStream) => Promise<StartedStream> {
  const { metadata, onProgress } = options
  if (onProgress !== undefined) assertFunction(onProgress, "options.onProgress")
  const metadataBytes = serializeMetadata(metadata)
  const sealHead = headSealer(options)
  return async (fresh = {}) => {
    const end = await sealHead(metadataBytes, fresh.head)
    const head = serializeHead(end.envelope)
    // before the head is given away
    const context = await end.backend.sha256(head)
    return { head, end, context, salt: fresh.salt ?? end.backend.randomBytes(SALT_BYTES) }
  }
}

/** Reads the options now, and gives the function that seals a source. */
export function streamSealer(
  options: SealStreamOptions,
): (pieces: PieceReader, fresh?: FreshStream) => AsyncGenerator<Batch> {
  const start = streamStarter(options)
  const { onProgress } = options
  return async function* (pieces, fresh) {
    const { head, end, context, salt } = await start(fresh)
    yield [head]
    yield* sealBody(end, context, salt, pieces, onProgress)
  }
}

/**
 * Seals a stream of any length to a recipient.
 *
 * @param source - A `ReadableStream`, a `Blob` or `File`, a Node stream, or an async iterable, of `Uint8Array`s that the source
 *   does not change until it is asked for the next.
 * @returns The sealed file. It reads the source only as fast as it is read itself.
 * @throws `TypeError` for a wrong argument; `SealwireError` `ERR_TOO_LARGE` for metadata above 64 KiB. What goes wrong later
 *   fails the stream: the reason of `signal`, or what the source threw.
 * @example
 * ```ts
 * import { generateKeyPair } from "sealwire"
 * import { openStream, sealStream } from "sealwire/stream"
 *
 * const { publicKey, privateKey } = await generateKeyPair()
 * const file = new Blob(["any number of bytes"])
 * const sealed = sealStream(file, { to: publicKey, metadata: { name: "a.txt" } })
 *
 * const opened = await openStream(sealed, { with: privateKey })
 * opened.metadata // {"name":"a.txt"}
 * await new Response(opened.stream).text() // "any number of bytes"
 * ```
 */
export function sealStream(source: ByteSource, options: SealStreamOptions): ByteStream {
  assertOptions(options, "options", SEAL_STREAM_OPTIONS)
  const seal = streamSealer(options)
  const pieces = readPieces(source)
  return readableOf(seal(pieces), pieces, options.signal)
}

/**
 * How many bytes {@link sealStream} makes of so much plaintext, to the byte.
 *
 * @throws `RangeError` for what is no size; `TypeError` for wrong options.
 */
export function sealedSize(
  plaintextBytes: number,
  options: Pick<SealStreamOptions, "to" | "signWith" | "metadata">,
): number {
  assertInteger(plaintextBytes, "plaintextBytes", 0, Number.MAX_SAFE_INTEGER)
  const head = headBytesOf(headCharacters(serializeMetadata(options.metadata), options))
  return head + sealedBodyBytes(plaintextBytes)
}
