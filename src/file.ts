/**
 * `sealwire/file`: seal and open files on Node, Deno and Bun. A failure leaves nothing behind.
 *
 * @module
 */

export {
  type OpenedFile,
  openFile,
  type OpenFileOptions,
  readParts,
  type SealedFile,
  sealFile,
  type SealFileOptions,
} from "./stream/file.ts"
export type { OutputOptions, WritableBytes } from "./stream/file-sink.ts"
export { type FilePath, type FileReader, fileReader } from "./stream/file-source.ts"
export type { PartOptions, SealedPart } from "./stream/seal-parts.ts"
export type { HeadOptions, StreamHead, StreamMetadata } from "./envelope/stream.ts"
export type { OpenStreamOptions } from "./stream/open-stream.ts"
export type { RandomReader } from "./stream/open-range.ts"
export type { AbortSignalLike, BlobLike, ByteSource, ReadableBytes } from "./stream/platform.ts"
export type { SealStreamOptions } from "./stream/seal-stream.ts"
