import { runInNewContext } from "node:vm"

import canonicalize from "canonicalize"
import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { canonicalJson, serializeJson } from "../../src/base/canonical-json.ts"
import { runs } from "../support/runs.ts"

const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))

describe("canonical JSON", () => {
  // RFC 8785 §3.2.2 and §3.2.3
  test("writes the examples of RFC 8785", () => {
    const numbers = [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001]
    const literals = [null, true, false]
    expect(canonicalJson({ numbers, string: "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/", literals })).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
    const sorted = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 }
    expect(Object.values(JSON.parse(canonicalJson(sorted)) as object)).toEqual([4, 2, 6, 7, 1, 5, 3])
  })

  test("takes the plain objects of another realm, and those without a prototype", () => {
    expect(canonicalJson(runInNewContext("({ b: [1], a: {} })"))).toBe('{"a":{},"b":[1]}')
    expect(canonicalJson(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
  })

  test("takes 256 levels", () => {
    expect(canonicalJson(nested(257))).toHaveLength(514)
  })

  const circle: { self?: unknown } = {}
  circle.self = circle
  test.each<[string, unknown, string]>([
    ["undefined", { a: [undefined] }, "undefined, which JSON cannot carry, at /a/0"],
    ["a hole", { a: [1, , 2] }, "undefined, which JSON cannot carry, at /a/1"],
    ["a function", { a: () => 1 }, "a function, which JSON cannot carry, at /a"],
    ["a toJSON", { toJSON: () => 1 }, "a function, which JSON cannot carry, at /toJSON"],
    ["a bigint", 1n, "a bigint, which JSON cannot carry,"],
    ["a symbol", Symbol("s"), "a symbol, which JSON cannot carry,"],
    ["a Date", { at: new Date(0) }, "an object of a class, which JSON cannot carry, at /at"],
    ["a Map", new Map(), "an object of a class"],
    ["a boxed number", Object(1), "an object of a class"],
    ["NaN", [NaN], "a number that is not finite at /0"],
    ["infinity", -Infinity, "a number that is not finite"],
    ["negative zero", { a: -0 }, "a negative zero, which canonical JSON cannot carry, at /a"],
    ["a lone surrogate", { a: "x\ud800" }, "a lone surrogate, which UTF-8 cannot carry, at /a"],
    ["a lone surrogate in a name", { "\udc00": 1 }, "a lone surrogate"],
    ["__proto__", JSON.parse('{"a":{"__proto__":1}}'), "a member that reaches a prototype at /a/__proto__"],
    [
      "a constructor with a prototype",
      { constructor: { prototype: {} } },
      "a member that reaches a prototype at /constructor",
    ],
    ["a circle", circle, "is nested deeper than 256 levels"],
    ["258 levels", nested(258), "is nested deeper than 256 levels"],
  ])("refuses %s", (_, value, reason) => {
    const attempt = (): string => canonicalJson(value, "statement")
    expect(attempt).toThrow(TypeError)
    expect(attempt).toThrow(`statement ${reason.startsWith("is ") ? "" : "has "}${reason}`)
  })

  test("reads a getter once", () => {
    let reads = 0
    const shifty = {
      get a(): number {
        return ++reads
      },
    }
    expect(canonicalJson(shifty)).toBe('{"a":1}')
  })
})

test("agrees with another implementation of RFC 8785", () => {
  const value = fc.jsonValue({ stringUnit: "binary" })
  fc.assert(
    fc.property(value, (json) => {
      expect(serializeJson(json as never)).toBe(canonicalize(json))
    }),
    runs(500),
  )
})

test.each([["\ud800"], { "\udc00": 1 }])("refuses a parsed lone surrogate: %j", (value) => {
  expect(() => serializeJson(value as never)).toThrow(TypeError)
})
