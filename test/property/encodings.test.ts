import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"

import * as overBuffer from "../../src/base/base64url-node.ts"
import * as inScript from "../../src/base/base64url.ts"
import { ENVELOPE_TYPES, type EnvelopeType, parseHeader, serializeHeader } from "../../src/envelope/header.ts"
import {
  parseEnvelope,
  parsePlaintext,
  serializeEnvelope,
  serializePlaintext,
} from "../../src/envelope/layout.ts"
import { contextHashOf } from "../support/forge.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const bytes = fc.uint8Array({ maxLength: 300 })
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const exactly = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((each) => new Uint8Array(each))

/** The methods of ES2026, as engines have them: lenient about white space, padding and unused bits. */
function withNativeMethods(run: () => void): void {
  const constructor = Uint8Array as { fromBase64?: unknown }
  const prototype = Uint8Array.prototype as { toBase64?: unknown }
  if ("fromBase64" in constructor) {
    run()
    return
  }
  constructor.fromBase64 = (text: string): Uint8Array => {
    if (/[^\w\-=\s]/.test(text)) throw new SyntaxError("not base64url")
    return new Uint8Array(Buffer.from(text, "base64url"))
  }
  prototype.toBase64 = vi.fn(function (this: Uint8Array) {
    return Buffer.from(this).toString("base64url")
  })
  try {
    run()
  } finally {
    delete constructor.fromBase64
    delete prototype.toBase64
  }
}

describe.each<[name: string, codec: typeof inScript, around: (run: () => void) => void]>([
  [
    "over Buffer",
    overBuffer,
    (run) => {
      run()
    },
  ],
  [
    "in script",
    inScript,
    (run) => {
      run()
    },
  ],
  ["over the engine's own methods", inScript, withNativeMethods],
])("base64url %s", { timeout: TIMEOUT_MS }, (_, { decodeBase64url, encodeBase64url }, around) => {
  test("encodes as the platform does, and decodes what it encoded", () => {
    around(() => {
      fc.assert(
        fc.property(bytes, (each) => {
          const text = encodeBase64url(new Uint8Array(each))
          expect(text).toBe(Buffer.from(each).toString("base64url"))
          expect([...(decodeBase64url(text) ?? [])]).toEqual([...each])
        }),
        runs(300),
      )
    })
  })

  test("decodes nothing but the canonical form", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from(alphabet)) }),
      fc.string({ unit: fc.constantFrom(...Array.from(alphabet + "=+/ \n\t\0.\u0141\u{1f512}\ud800")) }),
      fc.string({ unit: "binary" }),
    )
    around(() => {
      fc.assert(
        fc.property(text, (each) => {
          const canonical =
            /^[\w-]*$/.test(each) && Buffer.from(each, "base64url").toString("base64url") === each
          const decoded = decodeBase64url(each)
          expect(decoded !== undefined).toBe(canonical)
          if (decoded) expect(encodeBase64url(decoded)).toBe(each)
        }),
        runs(300),
      )
    })
  })

  test("decodes one text to each bytes, and one bytes to each text, for all of two characters", () => {
    around(() => {
      const seen = new Set<string>()
      for (const first of alphabet) {
        for (const second of alphabet) {
          const decoded = decodeBase64url(first + second)
          if (decoded) seen.add([...decoded].join())
        }
        expect(decodeBase64url(first)).toBeUndefined()
      }
      expect(seen.size).toBe(256)
    })
  })

  test("takes views with an offset for what they show", () => {
    around(() => {
      const view = new Uint8Array([1, 2, 3, 4, 5, 6]).subarray(2, 5)
      expect(encodeBase64url(view)).toBe("AwQF")
    })
  })
})

describe("parse and serialize", { timeout: TIMEOUT_MS }, () => {
  const header = fc.constantFrom(...(Object.keys(ENVELOPE_TYPES) as EnvelopeType[])).chain((type) =>
    fc.record({
      type: fc.constant(type),
      contextHash: fc.string().map(contextHashOf),
      issuedAtSeconds: fc.integer({ min: 1_000_000_000, max: 9_999_999_999 }),
      id: exactly(16).map((each) => Buffer.from(each).toString("base64url")),
      kid: fc
        .constantFrom(...ENVELOPE_TYPES[type].kidLengths)
        .chain((length) => exactly(length === 43 ? 32 : 16))
        .map((each) => Buffer.from(each).toString("base64url")),
    }),
  )

  test("are the identity on headers", () => {
    fc.assert(
      fc.property(header, (each) => {
        expect(parseHeader(serializeHeader(each), each.type)).toEqual(each)
      }),
      runs(300),
    )
  })

  test("are the identity on the text of headers", () => {
    const text = fc.oneof(
      header.map(serializeHeader),
      fc.tuple(header, fc.nat(250), fc.string({ unit: "binary", maxLength: 2 })).map(([each, at, by]) => {
        const right = serializeHeader(each)
        return right.slice(0, at) + by + right.slice(at + by.length)
      }),
    )
    fc.assert(
      fc.property(text, (each) => {
        for (const type of Object.keys(ENVELOPE_TYPES) as EnvelopeType[]) {
          const parsed = parseHeader(each, type)
          if (parsed) expect(serializeHeader(parsed)).toBe(each)
        }
      }),
      runs(500),
    )
  })

  test("are the identity on envelopes", () => {
    const parts = header.chain((each) =>
      fc.record({
        header: fc.constant(each),
        encryptedKey: exactly(ENVELOPE_TYPES[each.type].alg === "dir" ? 0 : 256),
        iv: exactly(12),
        ciphertext: fc
          .uint8Array({ minLength: 66, maxLength: 300 })
          .map((ciphertext) => new Uint8Array(ciphertext)),
        tag: exactly(16),
      }),
    )
    fc.assert(
      fc.property(parts, ({ header: each, encryptedKey, iv, ciphertext, tag }) => {
        const segment = Buffer.from(serializeHeader(each)).toString("base64url")
        const envelope = serializeEnvelope(segment, encryptedKey, iv, { ciphertext, tag })
        const parsed = parseEnvelope(envelope, each.type, 1000)
        expect(parsed?.header).toEqual(each)
        expect([...(parsed?.sealed.ciphertext ?? [])]).toEqual([...ciphertext])
        expect([...(parsed?.sealed.tag ?? [])]).toEqual([...tag])
        expect([...(parsed?.iv ?? [])]).toEqual([...iv])
        expect([...(parsed?.encryptedKey ?? [])]).toEqual([...encryptedKey])
        expect(Buffer.from(parsed?.nonce ?? []).toString("base64url")).toBe(each.id)
      }),
      runs(200),
    )
  })

  test("are the identity on plaintexts", () => {
    const parts = fc.record({
      digest: exactly(32),
      seed: exactly(32),
      signature: fc
        .uint8Array({ maxLength: 70_000, size: "max" })
        .map((each) => new Uint8Array(each.subarray(0, 65_535))),
      message: bytes.map((each) => new Uint8Array(each)),
    })
    fc.assert(
      fc.property(parts, (each) => {
        const parsed = parsePlaintext(serializePlaintext(each))
        expect(
          Object.entries(each).every(([name, value]) =>
            Buffer.from(value).equals(parsed?.[name as "seed"] as Uint8Array),
          ),
        ).toBe(true)
      }),
      runs(50),
    )
  })
})
