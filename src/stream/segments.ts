/**
 * The plan by which several cores share a file: segments of chunks, each of which is read and written where the layout says, so
 * that none waits for the one before it. Sizes as pure functions. docs/protocol.md §10.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { CHUNK_BYTES, sealedChunkAt } from "./layout.ts"

/** In each thread, so few take less memory, and no more time: its calls wait for no other thread. */
const SEGMENT_CHUNKS = 16
const SEGMENT_BYTES = SEGMENT_CHUNKS * CHUNK_BYTES

/** Bytes in a row. */
export interface Stretch {
  readonly start: number
  readonly bytes: number
}

/** Chunks in a row, 256 KiB of plaintext; fewer in the last segment, which may have the last chunk alone. */
export interface Segment {
  readonly firstChunk: number
  readonly chunks: number
  /** In the plaintext. */
  readonly plain: Stretch
  /** Among the sealed chunks. */
  readonly sealed: Stretch
}

/** Segments of so much plaintext, at least one. */
export function countSegments(plaintextBytes: number): number {
  return Math.floor(plaintextBytes / SEGMENT_BYTES) + 1
}

/** One of the {@link countSegments} segments of so much plaintext. */
export function segmentAt(index: number, plaintextBytes: number): Segment {
  const firstChunk = index * SEGMENT_CHUNKS
  const lastChunk = Math.min(firstChunk + SEGMENT_CHUNKS - 1, Math.floor(plaintextBytes / CHUNK_BYTES))
  const plainStart = index * SEGMENT_BYTES
  const [sealedStart] = sealedChunkAt(firstChunk, plaintextBytes)
  const [, sealedEnd] = sealedChunkAt(lastChunk, plaintextBytes)
  return {
    firstChunk,
    chunks: lastChunk - firstChunk + 1,
    plain: { start: plainStart, bytes: Math.min(SEGMENT_BYTES, plaintextBytes - plainStart) },
    sealed: { start: sealedStart, bytes: sealedEnd - sealedStart },
  }
}

/** The chunks of a segment, of which the last may be short, or empty. */
export function cutChunks(bytes: Bytes, chunks: number, chunkBytes: number): Bytes[] {
  return Array.from({ length: chunks }, (_, i) => bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes))
}
