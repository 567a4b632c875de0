import fc from "fast-check"
import { describe, expect, test } from "vitest"

import type { Bytes } from "../../src/base/bytes.ts"
import { SEALED_CHUNK_BYTES } from "../../src/stream/layout.ts"
import { openRange, type RandomReader } from "../../src/stream.ts"
import { collect, plaintextOf } from "../support/pieces.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { bodyStart, reader, sealed } from "../support/streams.ts"

const CHUNK = 16_384
const plaintext = plaintextOf(200 * CHUNK + 77)
const file = await sealed(plaintext, { metadata: { name: "film" } })

/** A reader that notes what it was asked, and gives one buffer again and again. */
function spy(bytes: Bytes): RandomReader & { readonly asked: [offset: number, length: number][] } {
  const asked: [number, number][] = []
  const buffer = new Uint8Array(bytes.length)
  return {
    asked,
    size: bytes.length,
    read(offset, length) {
      asked.push([offset, length])
      buffer.set(bytes.subarray(offset, offset + length))
      return Promise.resolve(buffer.subarray(0, length))
    },
  }
}

describe("openRange", () => {
  test(
    "gives any range of a blob, and as much as there is of one beyond the end",
    { timeout: TIMEOUT_MS },
    async () => {
      const opened = await openRange(new Blob([file]), { with: reader })
      expect(opened.size).toBe(plaintext.length)
      expect(opened.metadata).toEqual({ name: "film" })
      const place = fc.oneof(
        fc.integer({ min: 0, max: plaintext.length + 100 }),
        fc
          .tuple(fc.integer({ min: 0, max: 201 }), fc.integer({ min: -1, max: 1 }))
          .map(([i, by]) => Math.max(0, i * CHUNK + by)),
      )
      await fc.assert(
        fc.asyncProperty(
          place,
          fc.oneof(fc.integer({ min: 0, max: 50_000 }), place),
          async (offset, length) => {
            const expected = plaintext.subarray(offset, offset + length)
            expect(Buffer.from(await opened.read(offset, length)).equals(expected)).toBe(true)
            expect(Buffer.from(await collect(opened.stream(offset, length))).equals(expected)).toBe(true)
          },
        ),
        runs(60),
      )
      expect(Buffer.from(await collect(opened.stream())).equals(plaintext)).toBe(true)
    },
  )

  test("opens files of every size around a chunk", async () => {
    for (const length of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]) {
      const opened = await openRange(new Blob([await sealed(length)]), { with: reader })
      expect(opened.size).toBe(length)
      expect(await opened.read(0, length + 1)).toEqual(plaintextOf(length))
    }
  })

  test("reads the head and the last chunk, then only the chunks that it needs", async () => {
    const source = spy(file)
    const opened = await openRange(source, { with: reader })
    const head = source.asked.reduce((sum, [, length]) => sum + length, 0)
    expect(head).toBeLessThan(4096 + 56 + SEALED_CHUNK_BYTES)
    source.asked.length = 0
    expect(await opened.read(100 * CHUNK + 5, 10)).toEqual(plaintext.slice(100 * CHUNK + 5, 100 * CHUNK + 15))
    const chunk = bodyStart(file) + 56 + 100 * SEALED_CHUNK_BYTES
    expect(source.asked).toEqual([[chunk, SEALED_CHUNK_BYTES]])
    source.asked.length = 0
    await opened.read(100 * CHUNK - 1, 2)
    expect(source.asked).toEqual([[chunk - SEALED_CHUNK_BYTES, 2 * SEALED_CHUNK_BYTES]])
    source.asked.length = 0
    expect(await opened.read(5, 0)).toHaveLength(0)
    expect(await opened.read(plaintext.length + 5, 10)).toHaveLength(0)
    expect(source.asked).toEqual([])
  })

  test("reads ranges side by side", async () => {
    const opened = await openRange(new Blob([file]), { with: reader })
    const starts = Array.from({ length: 20 }, (_, i) => i * 100_000)
    const ranges = await Promise.all(starts.map((start) => opened.read(start, 33_000)))
    ranges.forEach((range, i) => {
      expect(Buffer.from(range).equals(plaintext.subarray(i * 100_000, i * 100_000 + 33_000))).toBe(true)
    })
  })

  test("finds metadata of any length", async () => {
    const metadata = { a: "x".repeat(65_000) }
    const opened = await openRange(spy(await sealed(100, { metadata })), { with: reader })
    expect(opened.metadata).toEqual(metadata)
    expect(await opened.read(0, 100)).toEqual(plaintextOf(100))
  })

  test("refuses a file that was cut, whatever size it claims", async () => {
    for (const size of [
      file.length - 1,
      file.length - 100,
      bodyStart(file) + 56 + 10 * SEALED_CHUNK_BYTES + 16,
      100,
    ]) {
      const cut = new Blob([file.subarray(0, size)])
      await expect(openRange(cut, { with: reader })).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
      const lying = { ...spy(file.slice(0, size)), size: file.length }
      await expect(openRange(lying, { with: reader })).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
  })

  test("refuses a range of which a chunk was altered, each time, and no other", async () => {
    const altered = new Uint8Array(file)
    const at = bodyStart(file) + 56 + 50 * SEALED_CHUNK_BYTES + 9
    altered[at] = (altered[at] ?? 0) ^ 1
    const opened = await openRange(new Blob([altered]), { with: reader })
    for (let i = 0; i < 2; i++) {
      await expect(opened.read(50 * CHUNK - 1, 2)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
      await expect(collect(opened.stream())).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
    expect(await opened.read(51 * CHUNK, 5)).toEqual(plaintext.slice(51 * CHUNK, 51 * CHUNK + 5))
  })

  test("passes on what its reader throws", async () => {
    const source = { size: 5000, read: () => Promise.reject(new RangeError("404")) }
    await expect(openRange(source, { with: reader })).rejects.toThrow("404")
  })

  test("refuses what is no range or no source", async () => {
    const opened = await openRange(new Blob([file]), { with: reader })
    for (const [offset, length] of [
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, NaN],
      ["0", 1],
    ] as [number, number][]) {
      await expect(opened.read(offset, length)).rejects.toThrow(RangeError)
    }
    await expect(openRange(file as never, { with: reader })).rejects.toThrow(TypeError)
    await expect(openRange("file" as never, { with: reader })).rejects.toThrow(TypeError)
    await expect(
      openRange({ size: -1, read: () => Promise.resolve(file) }, { with: reader }),
    ).rejects.toThrow(RangeError)
  })
})
