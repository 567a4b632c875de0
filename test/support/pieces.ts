/** Sources for streams, cut as a test wants them. */

import { Readable } from "node:stream"

import type { Bytes } from "../../src/base/bytes.ts"
import { SEALED_CHUNK_BYTES } from "../../src/stream/layout.ts"

/** How a test cuts bytes into pieces. */
export type Cut = (at: number) => number

/** Ways to cut: as one, byte by byte, around the size of a chunk, and at random. */
export const CUTS: Readonly<
  Record<"whole" | "by the byte" | "16 KiB - 1" | "16 KiB + 1" | "sealed chunks" | "at random", Cut>
> = {
  whole: () => Infinity,
  "by the byte": () => 1,
  "16 KiB - 1": () => 16_383,
  "16 KiB + 1": () => 16_385,
  "sealed chunks": () => SEALED_CHUNK_BYTES,
  "at random": () => 1 + Math.floor(Math.random() ** 3 * 50_000),
}

/** Gives bytes in pieces, one buffer for all of them: who keeps a piece until the next one reads that. */
export async function* piecesOf(bytes: Uint8Array, cut: Cut = CUTS.whole): AsyncGenerator<Bytes> {
  const buffer = new Uint8Array(Math.min(bytes.length, 100_000))
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + Math.min(cut(at), buffer.length))
    buffer.set(piece)
    yield buffer.subarray(0, piece.length)
    buffer.fill(0, 0, piece.length)
    at += piece.length
  }
}

/** Everything that a stream, or a generator of arrays or batches of them, gives, as one array. */
export async function collect(stream: unknown): Promise<Bytes> {
  const parts: Uint8Array[] = []
  for await (const given of stream as AsyncIterable<Uint8Array | readonly Uint8Array[]>) {
    for (const part of Array.isArray(given) ? given : [given]) parts.push(Uint8Array.from(part as Uint8Array))
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** A plaintext in which no two chunks are the same. */
export function plaintextOf(length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + (i >> 14)) % 256)
}

/** The same as a Node stream, which asks ahead, and so gets arrays of their own. */
export function readableOf(bytes: Uint8Array, cut: Cut): Readable {
  const copies = async function* (): AsyncGenerator<Bytes> {
    for await (const piece of piecesOf(bytes, cut)) yield new Uint8Array(piece)
  }
  return Readable.from(copies())
}
