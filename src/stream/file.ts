/**
 * Files on Node: sealed and opened from one path to another, or from and to Node streams. docs/protocol.md §10.
 *
 * @module
 */

import { backend as platform } from "#backend"

import type { Bytes } from "../base/bytes.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import type { Backend } from "../crypto/backend.ts"
import type { StreamHead } from "../envelope/stream.ts"
import type { Batch } from "./chunk-cipher.ts"
import { type CrewWork, workTogether } from "./crew.ts"
import { openSink, type OutputOptions, type Sink, type WritableBytes } from "./file-sink.ts"
import { type FilePath, fileReader, openSource, type OpenSource } from "./file-source.ts"
import { BODY_HEAD_BYTES, openedBodyBytes, sealedBodyBytes } from "./layout.ts"
import {
  OPEN_STREAM_OPTIONS,
  openBodyHead,
  openChunks,
  type OpenStreamOptions,
  streamOpener,
} from "./open-stream.ts"
import type { AbortSignalLike, ByteSource } from "./platform.ts"
import { stopOnAbort } from "./readable.ts"
import { cutParts, type PartOptions, partSize, type SealedPart } from "./seal-parts.ts"
import {
  SEAL_STREAM_OPTIONS,
  sealBodyHead,
  sealChunks,
  type SealStreamOptions,
  streamStarter,
} from "./seal-stream.ts"

/** Options of {@link sealFile}: those of `sealStream`, and how the file is made. */
export interface SealFileOptions extends SealStreamOptions, OutputOptions {}

/** Options of {@link openFile}: those of `openStream`, and how the file is made. */
export interface OpenFileOptions extends OpenStreamOptions, OutputOptions {}

/** What {@link sealFile} has made. */
export interface SealedFile {
  /** Bytes of the sealed file. */
  readonly bytes: number
}

/** What {@link openFile} has opened: all of it, and authentic. */
export interface OpenedFile extends StreamHead {
  /** Bytes of plaintext. */
  readonly bytes: number
}

const OUTPUT_OPTIONS = ["overwrite", "mode"]
const PRIVATE_MODE = 0o600
const PUBLIC_MODE = 0o666

/** Writes what is made while the next is being made; gives the number of bytes. */
async function pour(made: AsyncIterable<Batch>, sink: Sink): Promise<number> {
  let total = 0
  let writing: Promise<void> | undefined
  for await (const batch of made) {
    await writing
    for (const { length } of batch) total += length
    writing = sink.write(batch)
    // it is waited for above or below; until then it must not count as unhandled
    writing.catch(() => undefined)
  }
  await writing
  return total
}

/** Takes a source to a sink: all of it, or nothing. */
async function carry<Result>(
  source: OpenSource,
  sink: Sink,
  signal: AbortSignalLike | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  const unwatch = stopOnAbort(source.pieces, signal)
  try {
    const result = await work()
    await sink.finish()
    return result
  } catch (error) {
    await sink.discard(error)
    throw error
  } finally {
    unwatch()
    await source.close()
  }
}

/** The chunks of a file: what is done with them, and where they begin. */
interface Chunks extends Pick<CrewWork, "work" | "keys"> {
  readonly backend: Backend
  /** Undefined where no file has that size, which its end will show. */
  readonly plaintextBytes: number | undefined
  readonly inputStart: number
  readonly outputStart: number
}

/** Has several cores carry the chunks of one file to another, by the platform's own cipher; gives the bytes of plaintext if they have. */
async function share(
  { file }: OpenSource,
  { fd }: Sink,
  { onProgress, signal }: Pick<SealStreamOptions, "onProgress" | "signal">,
  { backend, plaintextBytes, inputStart, outputStart, ...chunks }: Chunks,
): Promise<number | undefined> {
  if (backend !== platform || backend.name !== "node") return undefined
  if (file === undefined || fd === undefined || plaintextBytes === undefined) return undefined
  const places = { input: { fd: file.fd, start: inputStart }, output: { fd, start: outputStart } }
  const isDone = await workTogether({ ...chunks, ...places, plaintextBytes, onProgress, signal })
  return isDone ? plaintextBytes : undefined
}

async function openBoth(
  from: FilePath | ByteSource,
  to: FilePath | WritableBytes,
  options: OutputOptions,
  mode: number,
): Promise<[OpenSource, Sink]> {
  const source = await openSource(from)
  try {
    return [source, await openSink(to, options, mode)]
  } catch (error) {
    await source.close()
    throw error
  }
}

/**
 * Seals a file of any size. The sealed file appears under its name when it is complete and on the disk, and not before: it is made
 * as `.sealwire-….tmp` in the same folder, which only a crash leaves behind. On Node 22 and later, several cores seal a large file
 * that goes from path to path, as long as it was at the start.
 *
 * @param from - A path, a `file:` URL, or a source as of `sealStream`, such as a Node stream.
 * @param to - A path, a `file:` URL, or a Node stream to write, which is ended, or destroyed after a failure.
 * @throws As `sealStream`; the system's errors, `EEXIST` where the file exists and `overwrite` is not set, `EIO` where a large file
 *   becomes shorter.
 * @example
 * ```ts
 * import { sealFile } from "sealwire/file"
 * import type { PublicKey } from "sealwire"
 *
 * async function backUp(path: string, to: PublicKey): Promise<void> {
 *   await sealFile(path, `${path}.sealed`, { to, metadata: { name: path } })
 * }
 * ```
 */
export async function sealFile(
  from: FilePath | ByteSource,
  to: FilePath | WritableBytes,
  options: SealFileOptions,
): Promise<SealedFile> {
  assertOptions(options, "options", [...SEAL_STREAM_OPTIONS, ...OUTPUT_OPTIONS])
  const { signal, onProgress } = options
  const start = streamStarter(options)
  const [source, sink] = await openBoth(from, to, options, PUBLIC_MODE)
  return carry(source, sink, signal, async () => {
    const { head, end, context, salt } = await start()
    const { backend, key } = end
    const { keys, bodyHead } = sealBodyHead(key, context, salt)
    const headBytes = head.length
    const outputStart = headBytes + BODY_HEAD_BYTES
    await sink.write([head, bodyHead])
    const plaintextBytes = source.file?.size
    const chunks = { work: "seal", backend, keys, plaintextBytes, inputStart: 0, outputStart } as const
    const shared = await share(source, sink, options, chunks)
    if (shared !== undefined) return { bytes: headBytes + sealedBodyBytes(shared) }
    return { bytes: outputStart + (await pour(sealChunks(backend, keys, source.pieces, onProgress), sink)) }
  })
}

/**
 * Opens a sealed file of any size. The plaintext appears under its name when all of it is authentic and on the disk: a failure
 * leaves nothing.
 *
 * > [!WARNING]
 * > A Node stream as `to` gets plaintext before the end has proven that it is all. It is destroyed after a failure.
 *
 * @param from - As of {@link sealFile}.
 * @param to - As of {@link sealFile}.
 * @throws As `openStream`; the system's errors, `EEXIST` where the file exists and `overwrite` is not set.
 */
export async function openFile(
  from: FilePath | ByteSource,
  to: FilePath | WritableBytes,
  options: OpenFileOptions,
): Promise<OpenedFile> {
  assertOptions(options, "options", [...OPEN_STREAM_OPTIONS, ...OUTPUT_OPTIONS])
  const { signal, onProgress } = options
  const open = streamOpener(options)
  const [source, sink] = await openBoth(from, to, options, PRIVATE_MODE)
  return carry(source, sink, signal, async () => {
    const { head, headBytes, end, context, reader } = await open(source.pieces)
    const { backend, key } = end
    const keys = openBodyHead(key, context, await reader.take(BODY_HEAD_BYTES))
    const inputStart = headBytes + BODY_HEAD_BYTES
    const plaintextBytes = source.file && openedBodyBytes(source.file.size - headBytes)
    const chunks = { work: "open", backend, keys, plaintextBytes, inputStart, outputStart: 0 } as const
    const shared = await share(source, sink, options, chunks)
    return { ...head, bytes: shared ?? (await pour(openChunks(backend, keys, reader, onProgress), sink)) }
  })
}

/**
 * Reads a sealed file in parts, to upload one after the other, and to go on later where an upload has stopped: a sealed file
 * does not change, so a part can be sent again, also by another process.
 *
 * @param options - `offset`: how many bytes the other side has. Default: 0.
 * @throws The system's errors; `RangeError` for an offset beyond the end.
 * @example
 * ```ts
 * import { readParts } from "sealwire/file"
 *
 * async function resume(path: string, offset: number, send: (part: Uint8Array, offset: number) => Promise<void>) {
 *   for await (const part of readParts(path, { offset, partBytes: 5_242_880 })) await send(part.bytes, part.offset)
 * }
 * ```
 */
export async function* readParts(
  path: FilePath,
  options: PartOptions & { readonly offset?: number } = {},
): AsyncGenerator<SealedPart> {
  assertOptions(options, "options", ["offset", "partBytes"])
  const { offset = 0 } = options
  const partBytes = partSize(options)
  const file = await fileReader(path)
  async function* rest(): AsyncGenerator<Batch> {
    for (let at = offset; at < file.size; at += partBytes) {
      yield [(await file.read(at, Math.min(partBytes, file.size - at))) as Bytes]
    }
  }
  try {
    assertInteger(offset, "options.offset", 0, file.size)
    if (offset < file.size)
      yield* cutParts(rest(), partBytes, { index: Math.floor(offset / partBytes), offset })
  } finally {
    await file.close()
  }
}
