import { describe, expect, test } from "vitest"

import type { Bytes } from "../../src/base/bytes.ts"
import { headSealer } from "../../src/envelope/stream.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { seal } from "../../src/envelope/seal.ts"
import { deriveBodyKeys } from "../../src/stream/body-keys.ts"
import { BODY_HEAD_BYTES, SEALED_CHUNK_BYTES } from "../../src/stream/layout.ts"
import { openRange, openStream } from "../../src/stream.ts"
import { knownAnswers } from "../support/vectors.ts"
import { type Cut, CUTS, piecesOf, plaintextOf } from "../support/pieces.ts"
import { bodyStart, reader, sealed } from "../support/streams.ts"

const CHUNK = 16_384
const REFUSED = { code: "ERR_OPEN_FAILED" }
const plaintext = plaintextOf(3 * CHUNK + 100)
const file = await sealed(plaintext, { context: "backup" })
const body = bodyStart(file)
const chunks = body + BODY_HEAD_BYTES

/** What is released before the end or the failure. */
async function release(
  bytes: Bytes,
  cut: Cut = CUTS.whole,
  context = "backup",
): Promise<{ released: Bytes; error: unknown }> {
  const parts: Uint8Array[] = []
  const joined = (): Bytes => new Uint8Array(Buffer.concat(parts))
  try {
    const { stream } = await openStream(piecesOf(bytes, cut), { with: reader, context })
    for await (const part of stream as unknown as AsyncIterable<Uint8Array>) parts.push(part)
    return { released: joined(), error: undefined }
  } catch (error) {
    return { released: joined(), error }
  }
}

/** Refused, and nothing but a true beginning of the plaintext came out. */
async function expectRefused(bytes: Bytes, cut?: Cut): Promise<void> {
  const { released, error } = await release(bytes, cut)
  expect(error).toMatchObject(REFUSED)
  expect(Buffer.from(released).equals(plaintext.subarray(0, released.length))).toBe(true)
  expect(released.length).toBeLessThanOrEqual(plaintext.length)
  await expect(
    openRange(new Blob([bytes]), { with: reader, context: "backup" }).then((opened) =>
      opened.read(0, opened.size),
    ),
  ).rejects.toMatchObject(REFUSED)
}

const changed = (at: number, value = 1): Bytes => {
  const copy = new Uint8Array(file)
  copy[at] = (copy[at] ?? 0) ^ value
  return copy
}
const chunkAt = (index: number): Bytes =>
  file.slice(chunks + index * SEALED_CHUNK_BYTES, chunks + (index + 1) * SEALED_CHUNK_BYTES)
const withChunks = (...parts: Bytes[]): Bytes =>
  new Uint8Array(Buffer.concat([file.subarray(0, chunks), ...parts]))

describe("a sealed file", () => {
  test("opens, to begin with", async () => {
    expect(await release(file)).toEqual({ released: plaintext, error: undefined })
  })

  test("is refused when it is cut at a border of its parts", async () => {
    const borders = [0, 5, 18, body - 1, body, body + 23, body + 24, chunks - 1, chunks]
    const chunkBorders = [1, 2, 3].flatMap((i) =>
      [-17, -16, -1, 0, 1, 15, 16, 17].map((by) => chunks + i * SEALED_CHUNK_BYTES + by),
    )
    for (const length of [...borders, ...chunkBorders]) {
      for (const cut of [CUTS.whole, CUTS["at random"]]) await expectRefused(file.slice(0, length), cut)
    }
  })

  test("is refused when it is cut at each of the last 60 bytes", async () => {
    for (let missing = 1; missing <= 60; missing++) await expectRefused(file.slice(0, -missing))
  })

  test("is refused when anything follows it", async () => {
    for (const extra of [1, 16, 100, SEALED_CHUNK_BYTES - 116, SEALED_CHUNK_BYTES, 40_000]) {
      await expectRefused(new Uint8Array(Buffer.concat([file, new Uint8Array(extra)])))
    }
    await expectRefused(new Uint8Array(Buffer.concat([file, chunkAt(3)])))
    await expectRefused(new Uint8Array(Buffer.concat([file, file])))
  })

  test("is refused when a bit of any part is changed", async () => {
    const places = [
      0,
      17,
      18,
      200,
      400,
      body - 30,
      body - 2,
      body - 1,
      body,
      body + 23,
      body + 24,
      chunks - 1,
      chunks,
    ]
    const tags = [1, 2, 3].map((i) => chunks + i * SEALED_CHUNK_BYTES - 1)
    for (const at of [...places, ...tags, file.length - 17, file.length - 1]) await expectRefused(changed(at))
  })

  test("is refused when chunks are swapped, doubled, left out, or taken from another file", async () => {
    const other = await sealed(plaintext, { context: "backup" })
    const [a, b, c, d] = [chunkAt(0), chunkAt(1), chunkAt(2), chunkAt(3)]
    await expectRefused(withChunks(b, a, c, d))
    await expectRefused(withChunks(a, a, c, d))
    await expectRefused(withChunks(a, c, d))
    await expectRefused(withChunks(a, b, d))
    await expectRefused(withChunks(a, b, c))
    await expectRefused(withChunks(d))
    await expectRefused(
      new Uint8Array(Buffer.concat([file.subarray(0, body), other.subarray(bodyStart(other))])),
    )
    await expectRefused(
      new Uint8Array(Buffer.concat([other.subarray(0, bodyStart(other)), file.subarray(body)])),
    )
  })

  test("is refused for another context or key, before a byte of its body", async () => {
    const source = piecesOf(file, () => body)
    await expect(openStream(source, { with: reader, context: "other" })).rejects.toMatchObject(REFUSED)
    expect(await source.next()).toMatchObject({ done: true })
    const other = await importPrivateKey(knownAnswers.recipient_3072)
    await expect(openStream(piecesOf(file), { with: other, context: "backup" })).rejects.toMatchObject(
      REFUSED,
    )
  })

  test("does not open under a key of 31 or 33 bytes", () => {
    for (const length of [0, 16, 31, 33, 64]) {
      expect(() => deriveBodyKeys(new Uint8Array(length), new Uint8Array(24), new Uint8Array(32))).toThrow(
        RangeError,
      )
    }
  })

  test("goes on failing after it has failed, and cancels its source", async () => {
    const reasons: unknown[] = []
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(changed(chunks + SEALED_CHUNK_BYTES + 5)),
      cancel: (reason) => void reasons.push(reason),
    })
    const { stream } = await openStream(source, { with: reader, context: "backup" })
    const reading = stream.getReader()
    for (let i = 0; i < 3; i++) await expect(reading.read()).rejects.toMatchObject(REFUSED)
    expect(reasons).toMatchObject([REFUSED])
  })

  test("aborts where it is written to", async () => {
    const { stream } = await openStream(piecesOf(file.slice(0, -1)), { with: reader, context: "backup" })
    let outcome = "open"
    const sink = new WritableStream({
      close: () => void (outcome = "closed"),
      abort: () => void (outcome = "aborted"),
    })
    await expect((stream as ReadableStream<Uint8Array>).pipeTo(sink)).rejects.toMatchObject(REFUSED)
    expect(outcome).toBe("aborted")
  })
})

describe("what is no sealed file", () => {
  const first = "sealwire/1 stream\n"
  test.each<[string, string]>([
    ["nothing", ""],
    ["its first line alone", first],
    ["another version", first.replace("1", "2")],
    ["a line end of Windows", first.replace("\n", "\r\n")],
    ["an empty envelope", `${first}\n`],
    ["a million dots", `${first}${".".repeat(1_000_000)}\n`],
    ["an envelope without an end", `${first}${"A".repeat(200_000)}`],
    ["an envelope with a zero byte", `${first}\0\n`],
  ])("%s is refused, in any pieces", async (_, text) => {
    const bytes = new TextEncoder().encode(text)
    for (const cut of [CUTS.whole, CUTS["at random"], CUTS["by the byte"]]) {
      await expect(openStream(piecesOf(bytes, cut), { with: reader })).rejects.toMatchObject(REFUSED)
    }
    await expect(openRange(new Blob([bytes]), { with: reader })).rejects.toMatchObject(REFUSED)
  })

  test("a message's envelope is refused as the head of a file", async () => {
    const envelope = await seal("{}", { to: reader.publicKey })
    const bytes = new TextEncoder().encode(`${first}${envelope}\n`)
    await expect(openStream(piecesOf(bytes), { with: reader })).rejects.toMatchObject(REFUSED)
  })

  test("a head that never ends is not read to its end", async () => {
    let given = 0
    const endless = (async function* () {
      yield new TextEncoder().encode(first)
      for (; ; given++) yield new Uint8Array(10_000).fill(65)
    })()
    await expect(openStream(endless, { with: reader })).rejects.toMatchObject(REFUSED)
    expect(given).toBeLessThan(12)
  })

  test("metadata that is not a JSON object is refused, though it is authentic", async () => {
    for (const text of ["", "null", "[]", "1", '{"a":1', '{"__proto__":{}}', "\ufeff{}"]) {
      const metadata = new TextEncoder().encode(text)
      const { envelope } = await headSealer({ to: reader.publicKey })(metadata)
      const bytes = new TextEncoder().encode(`${first}${envelope}\n`)
      await expect(openStream(piecesOf(bytes), { with: reader })).rejects.toMatchObject({
        code: "ERR_MESSAGE_FORMAT",
      })
    }
  })
})
