/**
 * `sealwire/stream`: seal and open files and streams of any length, in memory that does not grow with them.
 *
 * @module
 */

export { type OpenedStream, openedSize, openStream, type OpenStreamOptions } from "./stream/open-stream.ts"
export { sealedSize, sealStream, type SealStreamOptions } from "./stream/seal-stream.ts"
export type { StreamMetadata } from "./envelope/stream.ts"
export type { AbortSignalLike, BlobLike, ByteSource, ByteStream, ReadableBytes } from "./stream/platform.ts"
