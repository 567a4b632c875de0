/**
 * `sealwire/stream`: seal and open files and streams of any length, in memory that does not grow with them.
 *
 * @module
 */

export { type OpenedRange, openRange, type RandomReader } from "./stream/open-range.ts"
export { type OpenedStream, openedSize, openStream, type OpenStreamOptions } from "./stream/open-stream.ts"
export { type PartOptions, type SealedPart, sealParts } from "./stream/seal-parts.ts"
export { sealedSize, sealStream, type SealStreamOptions } from "./stream/seal-stream.ts"
export type { HeadOptions, StreamHead, StreamMetadata } from "./envelope/stream.ts"
export type { AbortSignalLike, BlobLike, ByteSource, ByteStream, ReadableBytes } from "./stream/platform.ts"
