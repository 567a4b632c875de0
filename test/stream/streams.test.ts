import { Readable } from "node:stream"

import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { importSigningKey } from "../../src/keys/signer.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { openedSize, openStream, sealedSize, sealStream } from "../../src/stream.ts"
import { collect, CUTS, piecesOf, plaintextOf } from "../support/pieces.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { spyStore } from "../support/stores.ts"
import { reader, sealed } from "../support/streams.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const CHUNK = 16_384
const LENGTHS = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 64 * CHUNK, 64 * CHUNK + 1, 130 * CHUNK - 1]
const signer = await importSigningKey(knownAnswers.signer)
const p256 = await importSigningKey(knownAnswers.signer_es256)

describe.each([node, web, noble])("a stream sealed on the $name backend", (backend) => {
  test.each(LENGTHS)("opens to its %i bytes, and has the size that was foretold", async (length) => {
    const to = await importPublicKey(publicJwk(knownAnswers.recipient), { backend })
    const plaintext = plaintextOf(length)
    const file = await collect(sealStream(piecesOf(plaintext, CUTS["at random"]), { to }))
    expect(file).toHaveLength(sealedSize(length, { to }))
    expect(openedSize(file.length, file.subarray(0, 4096))).toBe(length)
    const opened = await openStream(piecesOf(file, CUTS["at random"]), { with: reader })
    expect(Buffer.from(await collect(opened.stream)).equals(plaintext)).toBe(true)
  })
})

test(
  "any bytes, cut in any way, under any metadata, context and signer, come back",
  { timeout: TIMEOUT_MS },
  async () => {
    const key = await importPrivateKey(knownAnswers.recipient_3072)
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 40_000, size: "max" }),
        // names that reach a prototype are refused, at any depth
        fc
          .dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }))
          .filter((members) => !/"(?:__proto__|constructor)"/.test(JSON.stringify(members))),
        fc.string({ unit: "grapheme" }),
        fc.constantFrom(undefined, signer, p256),
        fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 }),
        async (plaintext, members, context, signWith, cuts) => {
          const metadata = JSON.parse(JSON.stringify(members)) as Record<string, unknown>
          const cut = (at: number): number => cuts[at % cuts.length] ?? 1
          const options = { to: key.publicKey, context, metadata, ...(signWith ? { signWith } : {}) }
          const file = await collect(sealStream(piecesOf(plaintext, cut), options))
          expect(file).toHaveLength(sealedSize(plaintext.length, options))
          expect(openedSize(file.length, file)).toBe(plaintext.length)
          const opened = await openStream(piecesOf(file, cut), {
            with: key,
            context,
            ...(signWith ? { signedBy: signWith.verifyingKey } : {}),
          })
          expect(opened.metadata).toEqual(metadata)
          expect(opened.signer).toBe(signWith?.kid)
          expect(await collect(opened.stream)).toEqual(new Uint8Array(plaintext))
        },
      ),
      runs(40),
    )
  },
)

test("no size is foretold for two lengths, and none is missed", async () => {
  const to = reader.publicKey
  const start = await sealed(0)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (length) => {
      expect(openedSize(sealedSize(length, { to }), start)).toBe(length)
      expect(sealedSize(length + 1, { to })).toBeGreaterThan(sealedSize(length, { to }))
    }),
    runs(500),
  )
  // a whole chunk without the last, short one, and tags without a chunk
  const base = sealedSize(0, { to }) - 16
  for (const size of [0, base, base + 15, base + 16_400, base + 16_400 + 15]) {
    expect(openedSize(size, start)).toBeUndefined()
  }
  expect(openedSize(base + 16_400 + 16, start)).toBe(CHUNK)
  expect(openedSize(100_000, start.subarray(0, 300))).toBeUndefined()
  expect(openedSize(100_000, new Uint8Array(200_000))).toBeUndefined()
})

describe("sealStream", () => {
  const to = reader.publicKey

  test("takes web streams, blobs, Node streams and generators", async () => {
    const plaintext = plaintextOf(70_000)
    const sources = [
      new Blob([plaintext]).stream(),
      new Blob([plaintext]),
      Readable.from([plaintext.subarray(0, 1), plaintext.subarray(1)]),
      piecesOf(plaintext),
      new Blob([plaintext]).stream().pipeThrough(new TransformStream<Uint8Array, Uint8Array>()),
    ]
    for (const source of sources) {
      const opened = await openStream(sealStream(source, { to }), { with: reader })
      expect(await collect(opened.stream)).toEqual(plaintext)
    }
  })

  test("reads only as fast as it is read", async () => {
    let given = 0
    const source = (async function* () {
      for (; given < 10_000; given++) yield plaintextOf(65_536)
    })()
    const stream = sealStream(source, { to }).getReader()
    for (let i = 0; i < 6; i++) await stream.read()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(given).toBeLessThan(8)
    await stream.cancel()
  })

  test("copies its options when it is called", async () => {
    const context = new Uint8Array([1, 2, 3])
    const metadata: Record<string, unknown> = { a: 1 }
    const stream = sealStream(piecesOf(plaintextOf(5)), { to, context, metadata })
    context.fill(0)
    metadata["a"] = 2
    const opened = await openStream(stream, { with: reader, context: new Uint8Array([1, 2, 3]) })
    expect(opened.metadata).toEqual({ a: 1 })
  })

  test("tells how far it is", async () => {
    const seen: number[] = []
    const stream = sealStream(piecesOf(plaintextOf(40_000), CUTS["16 KiB + 1"]), {
      to,
      onProgress: (n) => seen.push(n),
    })
    const opened = await openStream(stream, { with: reader, onProgress: (n) => seen.push(-n) })
    await collect(opened.stream)
    expect(seen.filter((n) => n > 0)).toEqual([16_384, 32_768, 40_000])
    expect(seen.at(-1)).toBe(-40_000)
  })

  test("passes on what the source throws, and says nothing of success", async () => {
    const source = (async function* () {
      yield plaintextOf(20_000)
      throw new RangeError("disk on fire")
    })()
    const stream = sealStream(source, { to }).getReader()
    const drain = async (): Promise<void> => {
      while (!(await stream.read()).done);
    }
    await expect(drain()).rejects.toThrow("disk on fire")
    await expect(stream.read()).rejects.toThrow("disk on fire")
  })

  test("cancels the source when it is cancelled, also before it was read", async () => {
    for (const reads of [0, 1, 4]) {
      const reasons: unknown[] = []
      const source = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(plaintextOf(100_000)),
        cancel: (reason) => void reasons.push(reason),
      })
      const stream = sealStream(source, { to }).getReader()
      for (let i = 0; i < reads; i++) await stream.read()
      await stream.cancel("enough")
      expect(reasons).toEqual(["enough"])
    }
  })

  test("fails with the signal's reason, even while the source is silent, and cancels it", async () => {
    for (const open of [false, true]) {
      const reasons: unknown[] = []
      const source = new ReadableStream<Uint8Array>({ cancel: (reason) => void reasons.push(reason) })
      const stop = new AbortController()
      const { signal } = stop
      const reading = open
        ? openStream(source, { with: reader, signal })
        : collect(sealStream(source, { to, signal }))
      setTimeout(() => stop.abort(new Error("stop")), 10)
      await expect(reading).rejects.toThrow("stop")
      expect(reasons).toEqual([stop.signal.reason])
    }
  })

  test("never ends well after its signal, even when the source does", async () => {
    const stop = new AbortController()
    const source = (async function* () {
      yield plaintextOf(10)
      stop.abort(new Error("stop"))
    })()
    await expect(collect(sealStream(source, { to, signal: stop.signal }))).rejects.toThrow("stop")
    const aborted = AbortSignal.abort(new Error("long ago"))
    await expect(collect(sealStream(piecesOf(plaintextOf(5)), { to, signal: aborted }))).rejects.toThrow(
      "long ago",
    )
  })

  test.each<[string, unknown, unknown, string]>([
    ["text as a source", "text", { to }, "source must be"],
    ["no source", undefined, { to }, "source must be"],
    ["an unknown option", new Blob([]), { to, replay: 1 }, 'no option "replay"'],
    ["no recipient", new Blob([]), {}, "options.to must be a public key"],
    [
      "metadata that is an array",
      new Blob([]),
      { to, metadata: [] },
      "options.metadata must be an object, not an array",
    ],
    ["metadata that is text", new Blob([]), { to, metadata: "a" }, "options.metadata must be an object"],
    [
      "a progress that is no function",
      new Blob([]),
      { to, onProgress: 1 },
      "options.onProgress must be a function",
    ],
  ])("refuses %s", (_, source, options, message) => {
    expect(() => sealStream(source as Blob, options as never)).toThrow(TypeError)
    expect(() => sealStream(source as Blob, options as never)).toThrow(message)
  })

  test("refuses pieces that are not bytes", async () => {
    const stream = sealStream(Readable.from(["text"]), { to })
    await expect(collect(stream)).rejects.toThrow("the source must give Uint8Arrays, not a string")
  })

  test("refuses metadata that no reader would take, or above 64 KiB", () => {
    const seal = (metadata: unknown): unknown => sealStream(new Blob([]), { to, metadata: metadata as never })
    expect(() => seal({ a: "x".repeat(65_536) })).toThrow(expect.objectContaining({ code: "ERR_TOO_LARGE" }))
    expect(() => seal(JSON.parse('{"__proto__":1}'))).toThrow(
      expect.objectContaining({ code: "ERR_MESSAGE_FORMAT" }),
    )
  })

  test("carries metadata of 64 KiB", async () => {
    const metadata = { a: "x".repeat(65_536 - 8) }
    const opened = await openStream(piecesOf(await sealed(3, { metadata }), CUTS["by the byte"]), {
      with: reader,
    })
    expect(opened.metadata).toEqual(metadata)
  })
})

describe("openStream", () => {
  test("opens a file twice, and once only where a guard is given", async () => {
    const file = await sealed(10)
    const replay = createReplayGuard({ store: spyStore() })
    for (let i = 0; i < 2; i++) await openStream(piecesOf(file), { with: reader })
    await openStream(piecesOf(file), { with: reader, replay })
    await expect(openStream(piecesOf(file), { with: reader, replay })).rejects.toMatchObject({
      code: "ERR_REPLAYED",
    })
  })

  test("opens a file of any age, and a stale one not where a guard is given", async () => {
    const file = await sealed(10)
    const hours = (n: number) =>
      createReplayGuard({ store: spyStore(), clock: () => Date.now() + n * 3_600_000 })
    await expect(openStream(piecesOf(file), { with: reader, replay: hours(1) })).rejects.toMatchObject({
      code: "ERR_STALE",
    })
    await expect(openStream(piecesOf(file), { with: reader, replay: hours(30) })).rejects.toMatchObject({
      code: "ERR_OPEN_FAILED",
    })
  })

  test("refuses a file that is not signed as required", async () => {
    const unsigned = await sealed(10)
    const signed = await sealed(10, { signWith: signer })
    const by = (signedBy: typeof signer) => ({ with: reader, signedBy: signedBy.verifyingKey })
    const code = { code: "ERR_OPEN_FAILED" }
    await expect(openStream(piecesOf(unsigned), by(signer))).rejects.toMatchObject(code)
    await expect(openStream(piecesOf(signed), by(p256))).rejects.toMatchObject(code)
    await expect(openStream(piecesOf(signed), { with: reader })).rejects.toMatchObject(code)
    const known = await openStream(piecesOf(signed), { with: reader, knownSigners: [signer.verifyingKey] })
    expect(known.signer).toBe(signer.kid)
  })
})
