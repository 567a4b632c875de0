/** Several cores at one file. That it is they who did the work is known by the workers that were started. */

import { createHash } from "node:crypto"
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { inflateSync } from "node:zlib"

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"

import type { Bytes } from "../../src/base/bytes.ts"
import { SealwireError } from "../../src/base/errors.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { headOpener } from "../../src/envelope/stream.ts"
import { openFile, sealFile } from "../../src/file.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { type BodyKeys, deriveBodyKeys } from "../../src/stream/body-keys.ts"
import { type CrewWork, workTogether } from "../../src/stream/crew.ts"
import { BODY_HEAD_BYTES, envelopeOf, openedBodyBytes, SEALED_CHUNK_BYTES } from "../../src/stream/layout.ts"
import { openBodyHead } from "../../src/stream/open-stream.ts"
import { openStream, sealedSize } from "../../src/stream.ts"
import { collect, piecesOf, plaintextOf } from "../support/pieces.ts"
import { TEST_ALL } from "../support/runs.ts"
import { buildSegmentWorker } from "../support/segment-worker.ts"
import { bodyStart, reader, sealed } from "../support/streams.ts"
import { knownAnswers } from "../support/vectors.ts"
import { bytes as member, FOLDER, readGroups } from "../wycheproof/vectors.ts"

const base = realpathSync(mkdtempSync(join(tmpdir(), "sealwire-crew-")))
const built = pathToFileURL(join(base, "segment-worker.mjs"))

/** What the crews of a test are made of. */
const terms = vi.hoisted(() => ({ most: 2, started: 0, scripts: (): URL => new URL("file:///") }))
vi.mock("../../src/stream/crew-terms.ts", () => ({
  LEAST_CREW_BYTES: 0,
  mostWorkers: () => terms.most,
  workerScript: () => {
    terms.started++
    return terms.scripts()
  },
}))

let folder = base
const at = (name: string): string => join(folder, name)
const names = (): string[] => readdirSync(folder).sort()
const to = reader.publicKey
/** Of plaintext. */
const SEGMENT = 16 * 16_384
const plaintext = plaintextOf(5_000_000)
const REFUSED = { code: "ERR_OPEN_FAILED" }

beforeAll(() => buildSegmentWorker(join(base, "segment-worker.mjs")))
beforeEach(() => {
  folder = mkdtempSync(join(base, "case-"))
  writeFileSync(at("plain"), plaintext)
  Object.assign(terms, { most: 2, started: 0, scripts: () => built })
})
afterAll(() => rmSync(base, { recursive: true }))

/** A script of its own that workers run. */
function script(text: string): URL {
  writeFileSync(at("script.mjs"), `import { parentPort, workerData } from "node:worker_threads"\n${text}`)
  return pathToFileURL(at("script.mjs"))
}

describe("a crew", () => {
  test.each([0, 1, 16_383, 16_384, SEGMENT - 1, SEGMENT, SEGMENT + 1, 12 * SEGMENT, 5_000_000])(
    "carries a file of %i bytes, as one thread would",
    async (length) => {
      writeFileSync(at("plain"), plaintext.subarray(0, length))
      const made = await sealFile(at("plain"), at("sealed"), { to, metadata: { name: "plain" } })
      expect(made).toEqual({ bytes: sealedSize(length, { to, metadata: { name: "plain" } }) })
      const file = readFileSync(at("sealed"))
      expect(file).toHaveLength(made.bytes)
      const { stream } = await openStream(piecesOf(file), { with: reader })
      expect(Buffer.from(await collect(stream)).equals(plaintext.subarray(0, length))).toBe(true)

      writeFileSync(at("streamed"), await sealed(plaintext.subarray(0, length)))
      const opened = await openFile(at("streamed"), at("opened"), { with: reader })
      expect(opened).toMatchObject({ bytes: length, metadata: {}, kid: reader.kid })
      expect(readFileSync(at("opened")).equals(plaintext.subarray(0, length))).toBe(true)
      expect(names()).toEqual(["opened", "plain", "sealed", "streamed"])
      expect(terms.started).toBe(length < SEGMENT ? 2 : 4)
    },
  )

  test("tells its progress, which grows to all of it", async () => {
    for (const work of ["seal", "open"]) {
      const told: number[] = []
      const onProgress = (bytes: number): void => void told.push(bytes)
      if (work === "seal") await sealFile(at("plain"), at("sealed"), { to, onProgress })
      else await openFile(at("sealed"), at("opened"), { with: reader, onProgress })
      expect(told.length).toBeGreaterThan(2)
      expect(told).toEqual(told.toSorted((a, b) => a - b))
      expect(told.at(-1)).toBe(plaintext.length)
    }
  })

  test("seals a file as long as it was at the start, though it grows", async () => {
    const onProgress = (): void => appendFileSync(at("plain"), "more")
    const { bytes } = await sealFile(at("plain"), at("sealed"), { to, onProgress })
    expect(bytes).toBe(sealedSize(plaintext.length, { to }))
    await openFile(at("sealed"), at("opened"), { with: reader })
    expect(readFileSync(at("opened")).equals(plaintext)).toBe(true)
  })

  test("stays as large as the process may have workers, and other files do without", async () => {
    await Promise.all(
      ["one", "two", "three"].map(async (name) => {
        await sealFile(at("plain"), at(name), { to })
        await openFile(at(name), at(`${name} opened`), { with: reader })
        expect(readFileSync(at(`${name} opened`)).equals(plaintext)).toBe(true)
      }),
    )
    terms.started = 0
    await Promise.all(["four", "five"].map((name) => sealFile(at("plain"), at(name), { to })))
    expect(terms.started).toBe(2)
  })

  test("is not for one core, for another backend, or for what is no file", async () => {
    terms.most = 1
    await sealFile(at("plain"), at("sealed"), { to })
    terms.most = 2
    for (const [name, backend] of Object.entries({ web, "like node": { ...node } })) {
      const other = await importPrivateKey(knownAnswers.recipient, { backend })
      await openFile(at("sealed"), at(name), { with: other })
    }
    await openFile(piecesOf(readFileSync(at("sealed"))), at("streamed"), { with: reader })
    expect(terms.started).toBe(0)
    expect(names()).toEqual(["like node", "plain", "sealed", "streamed", "web"])
  })
})

describe("a crew refuses, and leaves nothing of,", () => {
  const chunk = SEALED_CHUNK_BYTES
  const whole = sealed(plaintext)

  async function expectRefused(file: Bytes): Promise<void> {
    writeFileSync(at("sealed"), file)
    const opening = openFile(at("sealed"), at("opened"), { with: reader })
    await expect(opening).rejects.toMatchObject(REFUSED)
    await expect(opening).rejects.toThrow(SealwireError)
    expect(names()).toEqual(["plain", "sealed"])
  }

  test("a file that was cut", async () => {
    const file = await whole
    const chunks = bodyStart(file) + BODY_HEAD_BYTES
    const borders = (TEST_ALL ? [0, 1, 16, 32, 100, 304, 305] : [1, 32, 305]).flatMap((index) =>
      [-1, 0, 1, 15, 16, 17].map((by) => chunks + index * chunk + by),
    )
    for (const length of borders) await expectRefused(file.slice(0, length))
    for (let missing = 1; missing <= 60; missing += TEST_ALL ? 1 : 7) {
      await expectRefused(file.slice(0, -missing))
    }
  })

  test("a file with bytes after its end", async () => {
    const file = await whole
    for (const extra of [1, 16, 100, chunk, 16 * chunk]) {
      await expectRefused(new Uint8Array(Buffer.concat([file, new Uint8Array(extra)])))
    }
    await expectRefused(new Uint8Array(Buffer.concat([file, file])))
  })

  test("a file of which a bit was changed, wherever", async () => {
    const file = await whole
    const start = bodyStart(file)
    const chunks = start + BODY_HEAD_BYTES
    const segments = [0, 1, 7, 18, 19].map((index) => chunks + index * 16 * chunk)
    for (const place of [start, start + 24, ...segments, chunks + 16 * chunk - 1, file.length - 1]) {
      const changed = new Uint8Array(file)
      changed[place] = (changed[place] ?? 0) ^ 1
      await expectRefused(changed)
    }
  })

  test("chunks and segments that were swapped, doubled or left out, or are of another file", async () => {
    const file = await whole
    const other = await sealed(plaintext)
    const chunks = bodyStart(file) + BODY_HEAD_BYTES
    const part = (from: number, end: number): Bytes => file.slice(chunks + from * chunk, chunks + end * chunk)
    const withChunks = (...parts: Bytes[]): Bytes =>
      new Uint8Array(Buffer.concat([file.subarray(0, chunks), ...parts]))
    const rest = file.slice(chunks + 32 * chunk)
    await expectRefused(withChunks(part(16, 32), part(0, 16), rest))
    await expectRefused(withChunks(part(1, 2), part(0, 1), part(2, 32), rest))
    await expectRefused(withChunks(part(0, 16), part(0, 16), rest))
    await expectRefused(withChunks(part(0, 16), rest))
    await expectRefused(withChunks(part(0, 32)))
    const body = bodyStart(file)
    await expectRefused(
      new Uint8Array(Buffer.concat([file.subarray(0, body), other.subarray(bodyStart(other))])),
    )
  })
})

describe("a crew ends, and leaves nothing,", () => {
  test("when it is stopped, with the reason", async () => {
    const stop = new AbortController()
    const reason = new Error("stop")
    const onProgress = (): void => stop.abort(reason)
    const sealing = sealFile(at("plain"), at("sealed"), { to, signal: stop.signal, onProgress })
    await expect(sealing).rejects.toBe(reason)
    await sealFile(at("plain"), at("kept"), { to })
    const again = new AbortController()
    const opening = openFile(at("kept"), at("opened"), {
      with: reader,
      signal: again.signal,
      onProgress: () => again.abort(reason),
    })
    await expect(opening).rejects.toBe(reason)
    expect(names()).toEqual(["kept", "plain"])
  })

  test("when the caller fails at its progress", async () => {
    const onProgress = (): void => {
      throw new Error("no terminal")
    }
    await expect(sealFile(at("plain"), at("sealed"), { to, onProgress })).rejects.toThrow("no terminal")
    expect(names()).toEqual(["plain"])
  })

  test.each([
    ["throws", `throw new RangeError("out of something")`, "out of something"],
    ["leaves", `process.exit(0)`, "a worker ended before its work did"],
  ])("when a worker %s in the middle of its work", async (_, end, message) => {
    terms.scripts = () =>
      script(`parentPort.postMessage({ type: "begun" })\nAtomics.add(workerData.taken, 0, 1)\n${end}`)
    await expect(sealFile(at("plain"), at("sealed"), { to })).rejects.toThrow(message)
    expect(names()).toEqual(["plain", "script.mjs"])
  })
})

describe("a crew at work between two descriptors", () => {
  const keys: BodyKeys = deriveBodyKeys(new Uint8Array(32), new Uint8Array(24), new Uint8Array(32))
  const quiet = { onProgress: undefined, signal: undefined }

  async function between(input: string, output: string, work: Partial<CrewWork>, start = 0): Promise<void> {
    const [from, into] = [openSync(input, "r"), openSync(output, "w")]
    const places = { input: { fd: from, start }, output: { fd: into, start: 0 } }
    try {
      const all = {
        work: "seal",
        ...places,
        plaintextBytes: plaintext.length,
        keys,
        ...quiet,
        ...work,
      } as const
      expect(await workTogether(all)).toBe(true)
    } finally {
      closeSync(from)
      closeSync(into)
    }
  }

  test("fails when a file is shorter than it was", async () => {
    const longer = { plaintextBytes: plaintext.length + 1 }
    await expect(between(at("plain"), at("sealed"), longer)).rejects.toMatchObject({ code: "EIO" })
    await expect(between(at("plain"), at("sealed"), { work: "open" })).rejects.toMatchObject(REFUSED)
  })

  test("fails as the system does", async () => {
    const failing = between(at("plain"), "/dev/full", {})
    await expect(failing).rejects.toMatchObject({ code: "ENOSPC", syscall: "write" })
    await expect(failing).rejects.toThrow("ENOSPC: no space left on device, write")
  })

  test("opens the known file, and seals its body again", async () => {
    const file = new Uint8Array(Buffer.from(knownAnswers.file.file_b64_standard, "base64"))
    const start = bodyStart(file)
    const chunks = start + BODY_HEAD_BYTES
    const { end } = await headOpener({ with: reader })(envelopeOf(file.slice(0, start)))
    const context = new Uint8Array(createHash("sha256").update(file.subarray(0, start)).digest())
    const work = {
      plaintextBytes: knownAnswers.file.plaintext.length,
      keys: openBodyHead(end.key, context, file.subarray(start, chunks)),
    }
    writeFileSync(at("known"), file)
    await between(at("known"), at("opened"), { work: "open", ...work }, chunks)
    const expected = Uint8Array.from({ length: work.plaintextBytes }, (_, i) => i % 251)
    expect(readFileSync(at("opened")).equals(expected)).toBe(true)
    await between(at("opened"), at("again"), work)
    expect(readFileSync(at("again")).equals(file.subarray(chunks))).toBe(true)
  })

  test.skipIf(FOLDER === undefined)("answers Wycheproof's bodies", async () => {
    const counts = { opened: 0, refused: 0 }
    const groups = readGroups(FOLDER ?? "", "c2sp_chunked_encryption_aes_256_gcm")
    for (const each of groups.flatMap(({ tests }) => tests)) {
      const body = new Uint8Array(inflateSync(member(each, "ct")))
      const key = member(each, "key")
      const plaintextBytes = openedBodyBytes(body.length)
      const isRefusedBefore = key.length !== 32 || (each["flags"] as string[]).includes("HeaderFailure")
      if (isRefusedBefore || plaintextBytes === undefined) continue
      const bodyKeys = openBodyHead(key, member(each, "ctx"), body.subarray(0, BODY_HEAD_BYTES))
      const work = { plaintextBytes, keys: bodyKeys }
      writeFileSync(at("body"), body)
      const opening = between(at("body"), at("opened"), { work: "open", ...work }, BODY_HEAD_BYTES)
      if (each.result === "valid") {
        await opening
        await between(at("opened"), at("again"), work)
        expect(readFileSync(at("again")).equals(body.subarray(BODY_HEAD_BYTES))).toBe(true)
        counts.opened++
      } else {
        await expect(opening).rejects.toMatchObject(REFUSED)
        counts.refused++
      }
    }
    expect(counts).toEqual({ opened: 10, refused: 10 })
  })
})

describe("where workers", () => {
  test("are missing but one, that one does it all", async () => {
    const scripts = [pathToFileURL(at("nowhere.mjs")), built]
    terms.scripts = () => scripts.pop() ?? built
    await sealFile(at("plain"), at("sealed"), { to })
    await openFile(at("sealed"), at("opened"), { with: reader })
    expect(readFileSync(at("opened")).equals(plaintext)).toBe(true)
    expect(terms.started).toBe(4)
  })

  // the last of this file: they are not asked again
  test("cannot be loaded, one thread does it, and does not ask again", async () => {
    terms.scripts = () => {
      throw new TypeError("Invalid URL")
    }
    await sealFile(at("plain"), at("sealed"), { to })
    expect(terms.started).toBe(2)
    terms.scripts = () => built
    await openFile(at("sealed"), at("opened"), { with: reader })
    expect(readFileSync(at("opened")).equals(plaintext)).toBe(true)
    expect(terms.started).toBe(2)
    expect(names()).toEqual(["opened", "plain", "sealed"])
  })
})
