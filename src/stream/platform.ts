/**
 * The platform's streams, blobs and signals, described by what is used of them: declarations must compile without the DOM's
 * types and without Node's.
 *
 * @module
 */

/** What one `read` gives. */
export interface ByteRead {
  readonly done: boolean
  readonly value?: Uint8Array | undefined
}

/** What `getReader` gives. */
export interface ByteStreamReader {
  read(): Promise<ByteRead>
  cancel(reason?: unknown): Promise<void>
  releaseLock(): void
}

/** A `ReadableStream` of bytes, as far as it is read. */
export interface ReadableBytes {
  getReader(): ByteStreamReader
}

/** What the stream of a Blob gives where it is a byte stream: reads into the buffer of `view`, which goes over to what is read. */
export interface BufferReader {
  read(view: Uint8Array): Promise<ByteRead>
  cancel(reason?: unknown): Promise<void>
}

/** The platform's `ReadableStream` where its types are known; anything otherwise. */
type PlatformStream = typeof globalThis extends {
  ReadableStream: { prototype: infer Stream }
}
  ? Stream
  : unknown

/** A `ReadableStream` that gives `Uint8Array`s. */
export type ByteStream = ReadableBytes & PlatformStream

/** A `Blob` or `File`, as far as it is read. */
export interface BlobLike {
  readonly size: number
  slice(start?: number, end?: number): BlobLike
  stream(): ReadableBytes
  arrayBuffer(): Promise<ArrayBuffer>
}

/** Where bytes come from: a `ReadableStream`, a `Blob` or `File`, a Node stream, or anything that `for await` takes. */
export type ByteSource = ReadableBytes | BlobLike | AsyncIterable<Uint8Array>

/** An `AbortSignal`. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: "abort", listener: () => void): void
  removeEventListener(type: "abort", listener: () => void): void
}
