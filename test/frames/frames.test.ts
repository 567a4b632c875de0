import fc from "fast-check"
import { describe, expect, it } from "vitest"

import type { Bytes } from "../../src/base/bytes.ts"
import { encodeAscii } from "../../src/base/text.ts"
import { backend } from "../../src/crypto/node.ts"
import { exportSecret } from "../../src/envelope/exporter.ts"
import { openFrames, sealFrames } from "../../src/frames/byte-stream.ts"
import { type FrameKind, FrameOpener, FrameSealer } from "../../src/frames/frame.ts"
import { hex, knownAnswers, toHex } from "../support/vectors.ts"

const secret = new Uint8Array(32).fill(7)
const sealer = (): FrameSealer => new FrameSealer(backend, secret, "s2c")
const opener = (): FrameOpener => new FrameOpener(backend, secret, "s2c")

describe("frames", () => {
  const { channel } = knownAnswers.session

  it.each(channel.frames)("$direction $counter have the bytes of the known answer", async (known) => {
    const { direction, counter, kind, payload, frame } = known
    const x = await exportSecret(backend, encodeAscii(channel.reply), hex(channel.reply_seed))
    const sealed = await new FrameSealer(backend, x, direction, counter).seal(kind as FrameKind, hex(payload))
    expect(toHex(sealed)).toBe(frame)
    const opened = await new FrameOpener(backend, x, direction, counter).open(hex(frame))
    expect({ kind: opened.kind, payload: toHex(opened.payload) }).toEqual({ kind, payload })
  })

  it("go on across a change of keys, on both ends", async () => {
    const before = 2 ** 20 - 1
    const out = new FrameSealer(backend, secret, "c2s", before)
    const back = new FrameOpener(backend, secret, "c2s", before)
    for (let i = 0; i < 3; i++) {
      const payload = new Uint8Array([i])
      expect(toHex((await back.open(await out.seal(0, payload))).payload)).toBe(toHex(payload))
    }
  })

  it.each([
    ["left out", (frames: Bytes[]) => frames.slice(1)],
    ["repeated", (frames: Bytes[]) => [frames[0], frames[0]]],
    ["swapped", (frames: Bytes[]) => [frames[1], frames[0]]],
    ["cut", (frames: Bytes[]) => [frames[0]?.subarray(0, -1)]],
    ["of another kind", ([first]: Bytes[]) => [first && new Uint8Array([1, ...first.subarray(1)])]],
    ["of no kind", ([first]: Bytes[]) => [first && new Uint8Array([3, ...first.subarray(1)])]],
    ["empty", () => [new Uint8Array(0)]],
  ])("are refused when one is %s, and so is everything after it", async (_, change) => {
    const out = sealer()
    const good = [await out.seal(0, new Uint8Array([1])), await out.seal(0, new Uint8Array([2]))]
    const bad = change(good)
    const back = opener()
    const open = async (): Promise<void> => {
      for (const frame of bad) await back.open(frame ?? new Uint8Array(0))
    }
    await expect(open()).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    await expect(back.open(good[0] ?? new Uint8Array(0))).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  it("are refused from the other direction, and after the end", async () => {
    const other = await new FrameSealer(backend, secret, "c2s").seal(0, new Uint8Array([1]))
    await expect(opener().open(other)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    const out = sealer()
    const back = opener()
    await back.open(await out.seal(2))
    await expect(out.seal(0)).rejects.toThrow(TypeError)
    await expect(back.open(await sealer().seal(0))).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })
})

const streamOf = (chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
const bytesOf = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> =>
  new Uint8Array(await new Response(stream).arrayBuffer())

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...[...places].sort((a, b) => a - b).filter((place) => place < bytes.length), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

describe("frames in a byte stream", () => {
  it("give back the bytes, however the network cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.array(fc.nat(400)),
        async (chunks, places) => {
          const framed = await bytesOf(sealFrames(streamOf(chunks), sealer()))
          const opened = await bytesOf(openFrames(streamOf(cut(framed, places)), opener()))
          expect(Buffer.from(opened).equals(Buffer.concat(chunks))).toBe(true)
        },
      ),
    )
  })

  it("part a chunk that is larger than a frame", async () => {
    const large = new Uint8Array(3_000_000).fill(9)
    const framed = await bytesOf(sealFrames(streamOf([large]), sealer()))
    expect(Buffer.from(await bytesOf(openFrames(streamOf([framed]), opener()))).equals(large)).toBe(true)
  })

  it("are truncated wherever they are cut, and never end", async () => {
    const framed = await bytesOf(
      sealFrames(streamOf([new Uint8Array([1, 2, 3]), new Uint8Array([4])]), sealer()),
    )
    for (let length = 0; length < framed.length; length++) {
      const opened = openFrames(streamOf([framed.subarray(0, length)]), opener())
      await expect(bytesOf(opened)).rejects.toMatchObject({ code: "ERR_TRUNCATED" })
    }
  })

  it("are truncated when the source breaks", async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("connection reset"))
      },
    })
    await expect(bytesOf(openFrames(broken, opener()))).rejects.toMatchObject({ code: "ERR_TRUNCATED" })
  })

  it("are refused with bytes after the end, or a frame above a mebibyte, before it is read", async () => {
    const framed = await bytesOf(sealFrames(streamOf([]), sealer()))
    const more = streamOf([framed, new Uint8Array([0])])
    await expect(bytesOf(openFrames(more, opener()))).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array([0, 0x10, 0, 1]))
      },
    })
    await expect(bytesOf(openFrames(endless, opener()))).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    expect(pulled).toBeLessThan(5)
  })
})
