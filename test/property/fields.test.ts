import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"

import { isJsonObject, type JsonObject, type JsonValue } from "../../src/base/json-value.ts"
import { backend as node } from "../../src/crypto/node.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import { formatPointer } from "../../src/fields/pointer.ts"
import { openFields } from "../../src/fields/open-fields.ts"
import { sealFields } from "../../src/fields/seal-fields.ts"
import { importPublicKey } from "../../src/keys/recipient.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { createReader, errorOf, type Reader } from "../support/reader.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const name = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom("a", "b", "card", "0", "1", "", "~", "/", "~1", "$sealed", "toString"),
  },
  // fast-check likes the names that are refused
  fc.string({ unit: "grapheme" }).filter((text) => !/^(?:\*|__proto__|constructor|prototype)$/.test(text)),
)
const document = fc.letrec<{ value: JsonValue; members: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, 0, 1.5, 1e21, ""),
    fc.string({ unit: "grapheme" }),
    fc.array(tie("value"), { maxLength: 4 }),
    tie("members"),
  ),
  members: fc.dictionary(name, tie("value"), { maxKeys: 5, noNullPrototype: true }),
})).members

/** All places in a document that may be sealed. */
function placesIn(value: JsonValue, place: readonly string[] = []): (readonly string[])[] {
  const members = Array.isArray(value) || isJsonObject(value) ? Object.entries(value) : []
  return members.flatMap(([member, inner]) => [[...place, member], ...placesIn(inner, [...place, member])])
}

const isInside = (place: readonly string[], around: readonly string[]): boolean =>
  place.length > around.length && around.every((segment, index) => segment === place[index])

/** A document, and places in it of which none is inside another. */
const selection = document
  .filter((root) => !Object.hasOwn(root, "$sealed"))
  .chain((root) => {
    const places = placesIn(root)
    return fc.tuple(fc.constant(root), fc.subarray(places, { minLength: Math.min(1, places.length) }))
  })
  .filter(([, places]) => places.length > 0)
  .map(([root, places]) => {
    const outermost = places.filter((place) => !places.some((other) => isInside(place, other)))
    return { root, fields: outermost.map(formatPointer) }
  })

/** Counts public RSA operations, too. */
function counting(backend: Backend): { backend: Backend; readonly wraps: number } {
  let wraps = 0
  return {
    backend: {
      ...backend,
      async importWrapKey(jwk) {
        const handle = await backend.importWrapKey(jwk)
        return {
          wrap(key) {
            wraps++
            return handle.wrap(key)
          },
        }
      },
    },
    get wraps() {
      return wraps
    },
  }
}

describe("for all documents and fields", () => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(node)
  })
  const opening = (fields: readonly string[]) => ({
    with: reader.key,
    replay: dangerouslyAcceptReplays,
    mustBeSealed: fields,
  })

  test(
    "what is sealed is opened, as text and as an object, with one RSA operation at each end",
    { timeout: TIMEOUT_MS },
    async () => {
      const counted = counting(node)
      const to = await importPublicKey(publicJwk(knownAnswers.recipient), { backend: counted.backend })
      await fc.assert(
        fc.asyncProperty(selection, fc.boolean(), async ({ root, fields }, asText) => {
          const before = [counted.wraps, reader.unwraps]
          const sealed = await sealFields(asText ? JSON.stringify(root) : root, { to, fields })
          const opened = await openFields(asText ? JSON.stringify(sealed) : sealed, opening(fields))
          expect(opened.document).toEqual(root)
          expect(opened.sealedPointers.sort()).toEqual([...fields].sort())
          expect([counted.wraps, reader.unwraps]).toEqual(before.map((count) => count + 1))
        }),
        runs(150),
      )
    },
  )

  test("a thousand fields take one RSA operation at each end", async () => {
    const counted = counting(node)
    const to = await importPublicKey(publicJwk(knownAnswers.recipient), { backend: counted.backend })
    const root = { items: Array.from({ length: 1000 }, (_, i) => ({ sku: i, note: `note ${i}` })) }
    const before = reader.unwraps
    const sealed = await sealFields(root, { to, fields: ["/items/*/note"] })
    expect(JSON.stringify({ ...sealed, $sealed: "" })).not.toContain("note")
    expect((await openFields(sealed, opening(["/items/*/note"]))).document).toEqual(root)
    expect([counted.wraps, reader.unwraps - before]).toEqual([1, 1])
  })

  test("no other clear rest opens", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(selection, document, async ({ root, fields }, other) => {
        const sealed = await sealFields(root, { to: reader.key.publicKey, fields })
        const { $sealed = "", ...rest } = sealed
        fc.pre(JSON.stringify(rest) !== JSON.stringify(other) && !("$sealed" in other))
        const same = await errorOf(openFields({ ...other, $sealed }, opening(fields))).catch(() => undefined)
        // a rest in another order of members is the same rest
        if (same === undefined) expect(other).toEqual(rest)
        else expect(same).toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(100),
    )
  })

  test("the order of members does not matter", { timeout: TIMEOUT_MS }, async () => {
    const reversed = (value: JsonValue): JsonValue => {
      if (Array.isArray(value)) return value.map(reversed)
      if (!isJsonObject(value)) return value
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([member, inner]) => [member, reversed(inner)]),
      )
    }
    await fc.assert(
      fc.asyncProperty(selection, async ({ root, fields }) => {
        const sealed = await sealFields(root, { to: reader.key.publicKey, fields })
        const opened = await openFields(reversed(sealed) as object, opening(fields))
        expect(opened.document).toEqual(root)
      }),
      runs(60),
    )
  })

  test("anything at all is refused in the one way, or is no document", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.string(), fc.json()), async (anything) => {
        const refusal = await errorOf(openFields(anything as object, opening([])))
        expect(refusal).toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(500),
    )
  })
})
