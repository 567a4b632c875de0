import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { parseStrictJson } from "../../src/fields/json-text.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const parse = (text: string) => parseStrictJson(text, "document")

describe("strict JSON text", () => {
  test.each([
    ["0", 0],
    ["0.0", 0],
    ["0e5", 0],
    ["1.50", 1.5],
    ["1E+2", 100],
    ["100e-2", 1],
    ["-12.5e3", -12500],
    ["0.1", 0.1],
    ["5e-324", 5e-324],
    ["1.7976931348623157e308", Number.MAX_VALUE],
    ["9007199254740992", 2 ** 53],
    ["1e21", 1e21],
    ["1000000000000000000000", 1e21],
    [`1${"0".repeat(200)}e-200`, 1],
  ])("reads %s, which a double carries", (text, value) => {
    expect(parse(text)).toBe(value)
    expect(parse(`{"a":[${text}]}`)).toEqual({ a: [value] })
  })

  test.each([
    "9007199254740993",
    "12345678901234567890",
    "0.10000000000000001",
    "1e400",
    "-1e400",
    "1e-400",
    "4.9406564584124654e-324",
    "-0",
    "-0.0",
    "1.00000000000000000000000000001",
    `1${"0".repeat(400)}`,
  ])("refuses %s, which a double changes", (text) => {
    expect(() => parse(text)).toThrow(TypeError)
    expect(() => parse(` [{"a": ${text} }] `)).toThrow(/^document has a n/)
  })

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"b":{"a":1,"c":[{"a":2}],"a":3}}',
    '[[],{"":0,"":0}]',
    '{"\\"":1,"\\u0022":2}',
    '{"a\\\\":1 ,\n"a\\\\"\t:2}',
    '{"a":{},"b":[],"a":0}',
  ])("refuses the doubled name in %s", (text) => {
    expect(() => parse(text)).toThrow("document has two members of one name")
  })

  test.each([
    '{"a":{"a":[{"a":"a"},{"a":"a:a"}]},"b":"a"}',
    '{"a":"\\"a\\":1,","b":"{"}',
    '{"a":"\\\\","b":"\\\\\\""}',
    '[{"a":1},{"a":1}]',
  ])("takes one name in several objects, and in text: %s", (text) => {
    expect(JSON.stringify(parse(text))).toBe(text)
  })

  test.each(["", "{", "{'a':1}", "[1,]", "01", "+1", ".5", "\ufeff{}", "{}{}", "NaN", "undefined"])(
    "refuses %j, which is not JSON, and does not quote it",
    (text) => {
      expect(() => parse(text)).toThrow("document is not JSON")
    },
  )

  test("reads what JSON.stringify writes, in every spacing", { timeout: TIMEOUT_MS }, () => {
    // JSON.stringify writes -0 as 0, and __proto__ is refused
    const value = fc
      .jsonValue({ maxDepth: 4 })
      .filter((json) => !JSON.stringify(json).includes('"__proto__"'))
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 3 }), (json, space) => {
        const text = JSON.stringify(json, null, space)
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
      runs(300),
    )
  })

  test("finds a name that was doubled anywhere", { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.nat(), (names, at) => {
        const doubled = names[at % names.length] ?? ""
        fc.pre(!names.includes("__proto__"))
        const members = [...names, doubled].map((name) => `${JSON.stringify(name)}:0`)
        expect(() => parse(`[{${members.join()}}]`)).toThrow("two members of one name")
      }),
      runs(300),
    )
  })

  test("takes time in proportion to its length, also for strings and numbers of a million characters", () => {
    const long = "x\\u0061\\\\".repeat(200_000)
    expect(parse(`{"${long}":"${long}"}`)).toBeTypeOf("object")
    expect(parse(`[0.${"0".repeat(1_000_000)}]`)).toEqual([0])
    expect(() => parse(`[0.${"0".repeat(1_000_000)}1]`)).toThrow("a double does not carry")
  })
})
