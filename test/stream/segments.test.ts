import { describe, expect, test } from "vitest"

import { CHUNK_BYTES, sealedBodyBytes } from "../../src/stream/layout.ts"
import { countSegments, cutChunks, segmentAt } from "../../src/stream/segments.ts"

const MIB = 1_048_576

describe("the segments of a file", () => {
  test.each([0, 1, 16_383, 16_384, MIB / 4 - 1, MIB / 4, MIB / 4 + 1, MIB, 5_000_000, 2 ** 40 + 5])(
    "of %i bytes follow each other, and are all of it",
    (plaintextBytes) => {
      const count = countSegments(plaintextBytes)
      for (const index of new Set([0, 1, 2, 3, count - 2, count - 1])) {
        if (index < 0 || index >= count) continue
        const { firstChunk, chunks, plain, sealed } = segmentAt(index, plaintextBytes)
        expect(sealed.bytes).toBe(plain.bytes + 16 * chunks)
        expect(plain.start).toBe(firstChunk * CHUNK_BYTES)
        expect(sealed.start).toBe(firstChunk * 16_400)
        if (index === count - 1) continue
        const next = segmentAt(index + 1, plaintextBytes)
        expect(next.firstChunk).toBe(firstChunk + chunks)
        expect(next.plain.start).toBe(plain.start + plain.bytes)
        expect(next.sealed.start).toBe(sealed.start + sealed.bytes)
      }
      const last = segmentAt(count - 1, plaintextBytes)
      expect(last.firstChunk + last.chunks).toBe(Math.floor(plaintextBytes / CHUNK_BYTES) + 1)
      expect(last.plain.start + last.plain.bytes).toBe(plaintextBytes)
      expect(56 + last.sealed.start + last.sealed.bytes).toBe(sealedBodyBytes(plaintextBytes))
    },
  )

  test("have 16 chunks each, and the last one has the last chunk alone where that is empty", () => {
    expect(segmentAt(0, MIB)).toMatchObject({ chunks: 16, plain: { start: 0, bytes: MIB / 4 } })
    expect(segmentAt(4, MIB)).toEqual({
      firstChunk: 64,
      chunks: 1,
      plain: { start: MIB, bytes: 0 },
      sealed: { start: 64 * 16_400, bytes: 16 },
    })
  })

  test("are cut into chunks, of which the last may be short or empty", () => {
    const lengths = (bytes: number, chunks: number): number[] =>
      cutChunks(new Uint8Array(bytes), chunks, CHUNK_BYTES).map(({ length }) => length)
    expect(lengths(40_000, 3)).toEqual([16_384, 16_384, 7232])
    expect(lengths(16_384, 2)).toEqual([16_384, 0])
    expect(lengths(0, 1)).toEqual([0])
  })
})
