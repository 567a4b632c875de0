import { describe, expect, test } from "vitest"

import {
  parseEnvelope,
  parsePlaintext,
  serializeEnvelope,
  serializePlaintext,
} from "../../src/envelope/layout.ts"
import { forge, forgeReply, SEED } from "../support/forge.ts"
import { knownAnswers } from "../support/vectors.ts"

const LIMIT = 1000

describe("the envelope's layout", () => {
  test.each(knownAnswers.cases)("takes the known answer apart and joins it again: $name", ({ envelope }) => {
    const parsed = parseEnvelope(envelope, "sw1", 100_000)
    if (!parsed) return expect.fail("not parsed")
    const { headerSegment, encryptedKey, iv, sealed } = parsed
    const segment = Buffer.from(headerSegment).toString()
    expect(serializeEnvelope(segment, encryptedKey, iv, sealed)).toBe(envelope)
  })

  test("takes a reply apart, which has no encrypted key", () => {
    const reply = forgeReply(forge(), SEED)
    expect(parseEnvelope(reply, "sw1-reply", LIMIT)?.encryptedKey).toHaveLength(0)
    expect(parseEnvelope(reply, "sw1", LIMIT)).toBeUndefined()
    expect(parseEnvelope(forge(), "sw1-reply", LIMIT)).toBeUndefined()
  })

  test.each([
    [2048, 256],
    [3072, 384],
    [4096, 512],
  ])("takes an encrypted key of %i bits, and the largest message with the longest signature", (_, bytes) => {
    const wrong = { encryptedKey: () => Buffer.alloc(bytes), signature: () => "s".repeat(512) }
    const largest = forge({ ...wrong, message: "m".repeat(LIMIT) })
    expect(parseEnvelope(largest, "sw1", LIMIT)?.encryptedKey).toHaveLength(bytes)
  })

  test("takes none with a ciphertext above what the largest message and the longest signature need", () => {
    const needed = Math.ceil(((66 + 512 + LIMIT) * 4) / 3)
    const ofLength = (characters: number): string =>
      forge({ segments: (right) => right.with(3, "A".repeat(characters)) })
    // the cap is on the whole envelope: a key of 2048 bits leaves what one of 4096 would take
    expect(parseEnvelope(ofLength(needed), "sw1", LIMIT)).toBeDefined()
    expect(parseEnvelope(ofLength(needed + 683), "sw1", LIMIT)).toBeUndefined()
  })
})

describe("the plaintext's layout", () => {
  const parts = {
    digest: new Uint8Array(32).fill(1),
    seed: new Uint8Array(32).fill(2),
    signature: new Uint8Array(300).fill(3),
    message: new Uint8Array(50).fill(4),
  }

  test("joins and takes apart, and leaves nothing but the message where it was", () => {
    const plaintext = serializePlaintext(parts)
    expect(plaintext).toHaveLength(66 + 300 + 50)
    expect([...plaintext.subarray(64, 66)]).toEqual([1, 44])
    expect(parsePlaintext(plaintext)).toEqual(parts)
    expect(plaintext.subarray(0, 366).every((byte) => byte === 0)).toBe(true)
    expect(plaintext.subarray(366)).toEqual(parts.message)
  })

  test("takes empty signatures and messages, in a view with an offset", () => {
    const empty = { ...parts, signature: new Uint8Array(0), message: new Uint8Array(0) }
    const around = new Uint8Array(100).fill(9)
    around.set(serializePlaintext(empty), 10)
    expect(parsePlaintext(around.subarray(10, 76))).toEqual(empty)
    expect([...around.subarray(0, 10), ...around.subarray(76)].every((byte) => byte === 9)).toBe(true)
  })

  test.each([0, 1, 63, 64, 65])("takes no plaintext of %i bytes", (length) => {
    expect(parsePlaintext(new Uint8Array(length))).toBeUndefined()
  })

  test.each([
    [0, 1],
    [49, 50],
    [0, 65_535],
    [65_534, 65_535],
  ])("takes no plaintext with %i bytes behind a length of S of %i", (rest, length) => {
    const plaintext = new Uint8Array(66 + rest)
    plaintext.set([length >> 8, length & 255], 64)
    expect(parsePlaintext(plaintext)).toBeUndefined()
    expect([...plaintext.subarray(64, 66)]).toEqual([length >> 8, length & 255])
  })
})
