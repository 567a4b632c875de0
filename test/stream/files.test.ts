import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Writable } from "node:stream"
import { pathToFileURL } from "node:url"

import { afterAll, beforeEach, describe, expect, test } from "vitest"

import { fileReader, openFile, readParts, sealFile } from "../../src/file.ts"
import { openRange, openStream, type SealedPart, sealedSize, sealParts } from "../../src/stream.ts"
import { collect, CUTS, piecesOf, plaintextOf, readableOf } from "../support/pieces.ts"
import { bodyStart, reader, sealed } from "../support/streams.ts"

const base = realpathSync(mkdtempSync(join(tmpdir(), "sealwire-files-")))
let folder = base
const at = (name: string): string => join(folder, name)
const names = (): string[] => readdirSync(folder).sort()
const to = reader.publicKey
const plaintext = plaintextOf(5_000_000)

beforeEach(() => {
  folder = mkdtempSync(join(base, "case-"))
  writeFileSync(at("plain"), plaintext)
})
afterAll(() => rmSync(base, { recursive: true }))

describe("sealFile and openFile", () => {
  test.each([0, 1, 16_384, 1_048_576, 1_048_577, 5_000_000])("carry a file of %i bytes", async (length) => {
    writeFileSync(at("plain"), plaintext.subarray(0, length))
    const made = await sealFile(at("plain"), at("sealed"), { to, metadata: { name: "plain" } })
    expect(made).toEqual({ bytes: sealedSize(length, { to, metadata: { name: "plain" } }) })
    expect(statSync(at("sealed")).size).toBe(made.bytes)
    const opened = await openFile(at("sealed"), at("opened"), { with: reader })
    expect(opened).toMatchObject({
      bytes: length,
      metadata: { name: "plain" },
      signer: undefined,
      kid: reader.kid,
    })
    expect(readFileSync(at("opened")).equals(plaintext.subarray(0, length))).toBe(true)
    expect(names()).toEqual(["opened", "plain", "sealed"])
  })

  test("make what was opened readable for its owner only, unless told otherwise", async () => {
    await sealFile(at("plain"), at("sealed"), { to, mode: 0o600 })
    await openFile(at("sealed"), at("opened"), { with: reader })
    expect(statSync(at("sealed")).mode & 0o777).toBe(0o600)
    expect(statSync(at("opened")).mode & 0o777).toBe(0o600)
  })

  test("take URLs, and Node streams at both ends", async () => {
    await sealFile(pathToFileURL(at("plain")), pathToFileURL(at("sealed")), { to })
    const through = new PassThrough()
    const [opened, out] = await Promise.all([
      openFile(readableOf(readFileSync(at("sealed")), CUTS["at random"]), through, {
        with: reader,
      }),
      collect(through),
    ])
    expect(opened.bytes).toBe(plaintext.length)
    expect(Buffer.from(out).equals(plaintext)).toBe(true)
  })

  test("do not overwrite, unless told to", async () => {
    writeFileSync(at("taken"), "mine")
    await expect(sealFile(at("plain"), at("taken"), { to })).rejects.toMatchObject({ code: "EEXIST" })
    await sealFile(at("plain"), at("sealed"), { to })
    await expect(openFile(at("sealed"), at("taken"), { with: reader })).rejects.toMatchObject({
      code: "EEXIST",
    })
    expect(readFileSync(at("taken"), "utf8")).toBe("mine")
    await openFile(at("sealed"), at("taken"), { with: reader, overwrite: true })
    expect(statSync(at("taken")).size).toBe(plaintext.length)
    expect(names()).toEqual(["plain", "sealed", "taken"])
  })

  test("do not take a name that is taken while they work", async () => {
    const source = (async function* () {
      yield plaintext.subarray(0, 100_000)
      writeFileSync(at("sealed"), "mine")
      yield plaintext.subarray(0, 100_000)
    })()
    await expect(sealFile(source, at("sealed"), { to })).rejects.toMatchObject({ code: "EEXIST" })
    expect(readFileSync(at("sealed"), "utf8")).toBe("mine")
    expect(names()).toEqual(["plain", "sealed"])
  })

  test("leave nothing when the sealed file was cut or altered anywhere", async () => {
    const file = await sealed(plaintext)
    const body = bodyStart(file)
    for (const length of [0, 10, body, body + 40, body + 56, body + 56 + 16_400, file.length - 1]) {
      writeFileSync(at("cut"), file.subarray(0, length))
      await expect(openFile(at("cut"), at("opened"), { with: reader })).rejects.toMatchObject({
        code: "ERR_OPEN_FAILED",
      })
      expect(names()).toEqual(["cut", "plain"])
    }
    file[file.length - 1] = (file.at(-1) ?? 0) ^ 1
    writeFileSync(at("cut"), file)
    writeFileSync(at("older"), "kept")
    const replacing = openFile(at("cut"), at("older"), { with: reader, overwrite: true })
    await expect(replacing).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    expect(readFileSync(at("older"), "utf8")).toBe("kept")
  })

  test("leave nothing when they are stopped, or the source or the caller fails", async () => {
    const stop = new AbortController()
    const stopped = sealFile(at("plain"), at("sealed"), {
      to,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("stop")),
    })
    await expect(stopped).rejects.toThrow("stop")
    const failing = (async function* () {
      yield plaintext
      throw new Error("unplugged")
    })()
    await expect(sealFile(failing, at("sealed"), { to })).rejects.toThrow("unplugged")
    const onProgress = (): void => {
      throw new Error("no terminal")
    }
    await expect(sealFile(at("plain"), at("sealed"), { to, onProgress })).rejects.toThrow("no terminal")
    await expect(sealFile(at("absent"), at("sealed"), { to })).rejects.toMatchObject({ code: "ENOENT" })
    await expect(sealFile(at("plain"), at("no/folder"), { to })).rejects.toMatchObject({ code: "ENOENT" })
    await expect(sealFile(folder, at("sealed"), { to })).rejects.toMatchObject({ code: "EISDIR" })
    expect(names()).toEqual(["plain"])
  })

  test("destroy a Node stream after a failure, and do not end it", async () => {
    const file = await sealed(plaintext)
    let ended = false
    const sink = new Writable({
      write: (_chunk, _encoding, done) => done(),
      final: (done) => {
        ended = true
        done()
      },
    })
    await expect(openFile(piecesOf(file.slice(0, -1)), sink, { with: reader })).rejects.toMatchObject({
      code: "ERR_OPEN_FAILED",
    })
    expect(sink.destroyed).toBe(true)
    expect(ended).toBe(false)
  })

  test("fail when the stream that they write to fails, and cancel the source", async () => {
    const source = readableOf(plaintext, CUTS["16 KiB + 1"])
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error("full")) })
    await expect(sealFile(source, sink, { to })).rejects.toThrow("full")
    expect(source.destroyed).toBe(true)
  })

  test("wait for a slow stream", async () => {
    let written = 0
    const sink = new Writable({
      highWaterMark: 1,
      write: (chunk: Uint8Array, _encoding, done) => {
        written += chunk.length
        setTimeout(done, 1)
      },
    })
    const { bytes } = await sealFile(at("plain"), sink, { to })
    expect(written).toBe(bytes)
  })

  test.each<[string, unknown, unknown]>([
    ["a source", 5, "x"],
    ["a destination", "plain", undefined],
    ["a destination", "plain", { write: 1 }],
  ])("refuse what is not %s", async (_, from, destination) => {
    const source = from === "plain" ? at("plain") : from
    await expect(sealFile(source as string, destination as string, { to })).rejects.toThrow(TypeError)
    expect(names()).toEqual(["plain"])
  })
})

describe("parts", () => {
  const join = (parts: SealedPart[]): Uint8Array =>
    new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes)))

  async function list(parts: AsyncIterable<SealedPart>): Promise<SealedPart[]> {
    const all: SealedPart[] = []
    for await (const part of parts) all.push(part)
    return all
  }

  test("of a stream are as large as asked for, and open when they are put together", async () => {
    const total = sealedSize(plaintext.length, { to })
    for (const partBytes of [1_000_000, total - 1, total, total + 1, 333_333]) {
      const parts = await list(sealParts(piecesOf(plaintext), { to, partBytes }))
      expect(parts).toHaveLength(Math.ceil(total / partBytes))
      parts.forEach(({ index, offset, bytes, last }, i) => {
        expect([index, offset, last]).toEqual([i, i * partBytes, i === parts.length - 1])
        if (!last) expect(bytes).toHaveLength(partBytes)
      })
      const opened = await openStream(piecesOf(join(parts)), { with: reader })
      expect(Buffer.from(await collect(opened.stream)).equals(plaintext)).toBe(true)
    }
  })

  test("of a stream that nobody wants any more cancel its source", async () => {
    const source = readableOf(plaintext, CUTS["16 KiB + 1"])
    for await (const part of sealParts(source, { to, partBytes: 100_000 })) if (part.index === 2) break
    expect(source.destroyed).toBe(true)
  })

  test("of a stream that was stopped between two pieces never come to a last one", async () => {
    const stop = new AbortController()
    const onProgress = (): void => stop.abort(new Error("stop"))
    const parts = sealParts(piecesOf(plaintext), {
      to,
      partBytes: 100_000_000,
      signal: stop.signal,
      onProgress,
    })
    await expect(list(parts)).rejects.toThrow("stop")
  })

  test("of a file can be read again, from where an upload has stopped", async () => {
    const { bytes } = await sealFile(at("plain"), at("sealed"), { to })
    const file = readFileSync(at("sealed"))
    const all = await list(readParts(at("sealed"), { partBytes: 999_999 }))
    expect(file.equals(join(all))).toBe(true)
    const rest = await list(readParts(at("sealed"), { partBytes: 999_999, offset: 2 * 999_999 }))
    expect(rest).toEqual(all.slice(2))
    const odd = await list(readParts(at("sealed"), { offset: 1_234_567 }))
    expect(file.subarray(1_234_567).equals(join(odd))).toBe(true)
    expect(await list(readParts(at("sealed"), { offset: bytes }))).toEqual([])
    await expect(list(readParts(at("sealed"), { offset: bytes + 1 }))).rejects.toThrow(RangeError)
    await expect(list(readParts(at("sealed"), { partBytes: 0 }))).rejects.toThrow(RangeError)
  })
})

test("a file is opened for reading anywhere", async () => {
  await sealFile(at("plain"), at("sealed"), { to })
  const file = await fileReader(at("sealed"))
  const opened = await openRange(file, { with: reader })
  expect(await opened.read(4_999_000, 5000)).toEqual(plaintext.slice(4_999_000))
  await file.close()
  await expect(opened.read(0, 1)).rejects.toThrow()
})
