import { createDecipheriv, type KeyObject, createPrivateKey } from "node:crypto"

import { compactDecrypt } from "jose"
import { beforeAll, describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { b64u, CONTENT_KEY, encryptRsa, forge, type Parts, SEED, sha256 } from "../support/forge.ts"
import { createReader, expectRefusal, openNow, type Reader } from "../support/reader.ts"
import { makeSalamander } from "../support/salamander.ts"
import { knownAnswers } from "../support/vectors.ts"

const BLOCKS = 10
/** The message of the salamander fills whole blocks after the 66 bytes before it; its last block is free. */
const LONG_MESSAGE = "x".repeat(BLOCKS * 16 - 66)
const OTHER_KEY = Buffer.alloc(32, 0x5a)
const IV = Buffer.alloc(12, 7)

const bytesOf = (envelope: string, segment: number): Buffer =>
  Buffer.from(envelope.split(".")[segment] ?? "", "base64url")

/** An envelope of ours, its last block solved so that a second content key opens it too. */
function salamander(): { envelopes: string[]; headerSegment: string; sealed: Buffer } {
  const right = forge({ message: LONG_MESSAGE })
  const headerSegment = right.split(".")[0] ?? ""
  const keys = [CONTENT_KEY, OTHER_KEY] as const
  const { ciphertext, tag } = makeSalamander(
    keys,
    IV,
    Buffer.from(headerSegment),
    bytesOf(right, 3),
    BLOCKS - 1,
  )
  const envelopes = keys.map((key) =>
    [headerSegment, ...[encryptRsa(knownAnswers.recipient, key), IV, ciphertext, tag].map(b64u)].join("."),
  )
  return { envelopes, headerSegment, sealed: Buffer.concat([ciphertext, tag]) }
}

function openGcm(key: Uint8Array, headerSegment: string, sealed: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, IV, { authTagLength: 16 })
  decipher.setAAD(Buffer.from(headerSegment)).setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

describe("a salamander, before this library", () => {
  const { envelopes, headerSegment, sealed } = salamander()
  const key: KeyObject = createPrivateKey({ key: knownAnswers.recipient as never, format: "jwk" })

  test("opens under two keys with AES-GCM alone, to two messages", () => {
    const [one, two] = [CONTENT_KEY, OTHER_KEY].map((contentKey) =>
      openGcm(contentKey, headerSegment, sealed),
    )
    expect(one).toHaveLength(BLOCKS * 16)
    expect(one?.subarray(66, 140).toString()).toBe("x".repeat(74))
    expect(two).not.toEqual(one)
  })

  test("opens as two JWEs with jose, to two messages", async () => {
    const opened = await Promise.all(envelopes.map((envelope) => compactDecrypt(envelope, key)))
    const [one, two] = opened.map(({ plaintext }) => Buffer.from(plaintext).toString("hex"))
    expect(one).not.toBe(two)
  })
})

describe.each([node, web, noble])("commitment on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })

  test("refuses a salamander at both of its readers", async () => {
    for (const envelope of salamander().envelopes) await expectRefusal(reader, "P1", envelope)
  })

  const flip = (at: number) => (right: Buffer) => {
    const changed = Buffer.from(right)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    return changed
  }

  test.each<[name: string, wrong: Partial<Parts>]>([
    ["a bit of D flipped", { digest: flip(0) }],
    ["the last bit of D flipped", { digest: flip(31) }],
    ["D all zero", { digest: () => Buffer.alloc(32) }],
    ["D of the bare message", { digest: () => sha256("the message that nobody else may read") }],
    ["D over another header", { digest: () => bytesInside(forge({ context: "other" })).subarray(0, 32) }],
    ["D over another seed", { digest: () => bytesInside(forge({ seed: Buffer.alloc(32) })).subarray(0, 32) }],
    ["a bit of the seed flipped", { plaintext: flip(32) }],
    ["the last bit of the seed flipped", { plaintext: flip(63) }],
    ["a bit of the message flipped", { plaintext: flip(66) }],
    ["a byte after the message", { plaintext: (right) => Buffer.concat([right, Buffer.of(0)]) }],
    ["the last byte of the message cut off", { plaintext: (right) => right.subarray(0, -1) }],
    ["the whole message cut off", { plaintext: (right) => right.subarray(0, 66) }],
    [
      "D and seed exchanged",
      { plaintext: (p) => Buffer.concat([p.subarray(32, 64), p.subarray(0, 32), p.subarray(64)]) },
    ],
    [
      "the message alone, as other JWEs have it",
      { plaintext: (right) => Buffer.concat([right.subarray(66), Buffer.alloc(66)]) },
    ],
    ["66 zero bytes", { plaintext: () => Buffer.alloc(66) }],
    ["the length of S one, the message taken for S", { signatureLength: () => 1 }],
    ["the length of S that of the message", { signatureLength: () => 37 }],
    ["the length of S one more than the message", { signatureLength: () => 38 }],
    ["the length of S 256, its low byte zero", { signatureLength: () => 256 }],
    ["the length of S 65,535", { signatureLength: () => 65_535 }],
    [
      "the length of S 65,535, and as many bytes",
      { signatureLength: () => 65_535, message: "y".repeat(65_535) },
    ],
    ["the length of S in little-endian order", { signatureLength: () => 37 << 8 }],
  ])("refuses a plaintext with a right tag and %s", async (_, wrong) => {
    await expectRefusal(reader, "P1", forge(wrong))
  })

  test.each([
    ["header", 0],
    ["encrypted key", 1],
    ["IV", 2],
    ["ciphertext", 3],
    ["tag", 4],
  ])("refuses the %s of another valid envelope", async (_, at) => {
    const seed = Buffer.alloc(32, 9)
    const other = forge({ seed, contentKey: OTHER_KEY, iv: Buffer.alloc(12, 8) })
    await expect(openNow(reader, other)).resolves.toBeDefined()
    const mixed = forge({ segments: (right) => right.with(at, other.split(".")[at] ?? "") })
    await expectRefusal(reader, "P1", mixed)
  })

  test("refuses the ciphertext and tag of another envelope under the same content key and IV", async () => {
    const other = forge({ seed: Buffer.alloc(32, 9) }).split(".")
    await expectRefusal(
      reader,
      "P1",
      forge({ segments: (right) => [...right.slice(0, 3), ...other.slice(3)] }),
    )
  })

  test("refuses a ciphertext that was made without the header as AAD", async () => {
    const { sealed } = salamander()
    await expectRefusal(
      reader,
      "P1",
      forge({
        segments: (right) => [
          ...right.slice(0, 3),
          b64u(sealed.subarray(0, -16)),
          b64u(sealed.subarray(-16)),
        ],
      }),
    )
  })

  test("refuses any one bit flipped in ciphertext or tag", async () => {
    const segments = forge({ message: "" }).split(".")
    for (const at of [3, 4]) {
      const bytes = bytesOf(segments.join("."), at)
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        await expectRefusal(reader, "P1", segments.with(at, b64u(changed)).join("."))
      }
    }
  })
})

/** P of a forgery. */
function bytesInside(envelope: string): Buffer {
  return openGcm(
    CONTENT_KEY,
    envelope.split(".")[0] ?? "",
    Buffer.concat([bytesOf(envelope, 3), bytesOf(envelope, 4)]),
  )
}

test("the forgeries of this file hold their seed where the protocol has it", () => {
  expect(bytesInside(forge()).subarray(32, 64)).toEqual(SEED)
})
