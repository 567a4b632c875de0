import { describe, expect, test } from "vitest"

import {
  ENVELOPE_TYPES,
  type EnvelopeType,
  type Header,
  headerSegmentLengths,
  parseHeader,
  serializeHeader,
} from "../../src/envelope/header.ts"

const TYPES = Object.keys(ENVELOPE_TYPES) as EnvelopeType[]
const kidOf = (length: number): string => "A".repeat(length)

/** Each type with each length of `kid` that it takes. */
const SHAPES = TYPES.flatMap((type) =>
  ENVELOPE_TYPES[type].kidLengths.map((length) => [type, length] as const),
)

const headerFor = (type: EnvelopeType, kidLength: number): Header => ({
  type,
  contextHash: kidOf(43),
  issuedAtSeconds: 1_790_000_000,
  id: kidOf(22),
  kid: kidOf(kidLength),
})

describe("the header", () => {
  test("has six types, of which each has its row of the protocol's table", () => {
    expect(ENVELOPE_TYPES).toEqual({
      sw1: { alg: "RSA-OAEP-256", kidLengths: [43] },
      "sw1-open": { alg: "RSA-OAEP-256", kidLengths: [43] },
      "sw1-session": { alg: "dir", kidLengths: [22] },
      "sw1-reply": { alg: "dir", kidLengths: [43, 22] },
      "sw1-channel": { alg: "dir", kidLengths: [22] },
      "sw1-stream": { alg: "RSA-OAEP-256", kidLengths: [43] },
    })
  })

  test.each(SHAPES)("of type %s with a kid of %i is parsed as that type and no other", (type, length) => {
    const header = headerFor(type, length)
    const text = serializeHeader(header)
    expect(parseHeader(text, type)).toEqual(header)
    for (const other of TYPES.filter((each) => each !== type))
      expect(parseHeader(text, other)).toBeUndefined()
  })

  test.each(SHAPES)("of type %s with a kid of %i has the length that step 2 expects", (type, length) => {
    const segment = Buffer.from(serializeHeader(headerFor(type, length))).toString("base64url")
    expect(headerSegmentLengths(type)).toContain(segment.length)
  })

  test("is JSON in the order of RFC 8785", () => {
    const members = JSON.parse(serializeHeader(headerFor("sw1", 43))) as object
    expect(Object.keys(members)).toEqual(["alg", "ctx", "enc", "iat", "jti", "kid", "typ"])
    expect(JSON.stringify(members)).toBe(serializeHeader(headerFor("sw1", 43)))
  })

  test.each(SHAPES)(
    "of type %s with a kid of %i is refused with any one character changed, added or gone",
    (type, length) => {
      const header = serializeHeader(headerFor(type, length))
      for (let at = 0; at < header.length; at++) {
        for (const changed of ["", " ", "_", "=", "\u0130", "\n", header[at] === "B" ? "C" : "B"].flatMap(
          (by) => [
            header.slice(0, at) + by + header.slice(at + 1),
            ...(by === "" ? [] : [header.slice(0, at) + by + header.slice(at)]),
          ],
        )) {
          const parsed = parseHeader(changed, type)
          // a change inside a value may make another right header, but never the same
          if (parsed) expect(serializeHeader(parsed)).toBe(changed)
          if (parsed) expect(changed).toHaveLength(header.length)
          expect(parsed).not.toEqual(headerFor(type, length))
        }
      }
    },
  )

  test.each([0, 1, 20, 21, 23, 42, 44, 64])("takes no kid of %i characters", (length) => {
    for (const type of TYPES)
      expect(parseHeader(serializeHeader(headerFor(type, length)), type)).toBeUndefined()
  })

  test.each([999_999_999, 0, -1, 10_000_000_000, 1.5, NaN])("takes no time of %d", (issuedAtSeconds) => {
    expect(parseHeader(serializeHeader({ ...headerFor("sw1", 43), issuedAtSeconds }), "sw1")).toBeUndefined()
  })

  test.each([1_000_000_000, 9_999_999_999])("takes a time of %i", (issuedAtSeconds) => {
    const header = { ...headerFor("sw1", 43), issuedAtSeconds }
    expect(parseHeader(serializeHeader(header), "sw1")).toEqual(header)
  })

  test("takes only last characters whose unused bits are zero, for 32 and for 16 bytes", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const right = headerFor("sw1", 43)
    const takes = (changed: Partial<Header>): boolean =>
      parseHeader(serializeHeader({ ...right, ...changed }), "sw1") !== undefined
    Array.from(alphabet).forEach((last, value) => {
      expect(takes({ kid: `${kidOf(42)}${last}` })).toBe(value % 4 === 0)
      expect(takes({ contextHash: `${kidOf(42)}${last}` })).toBe(value % 4 === 0)
      expect(takes({ id: `${kidOf(21)}${last}` })).toBe(value % 16 === 0)
    })
  })
})
