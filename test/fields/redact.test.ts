import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { createPolicy } from "../../src/fields/policy.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

const policy = createPolicy({
  rules: {
    "/card/number": "seal",
    "/card/cvc": "drop",
    "/list/0": "drop",
    "/users/*/name": { action: "mask", keepFirst: 1 },
  },
})

describe("redaction for logs", () => {
  test("hides what the policy protects, and the envelope", () => {
    const document = { card: { number: "4111", cvc: "1", brand: "visa" }, list: [1, 2], $sealed: "eyJ…" }
    expect(policy.redact(document)).toEqual({
      card: { number: "[sealed]", brand: "visa" },
      list: [null, 2],
      $sealed: "[sealed]",
    })
    expect(document.card.number).toBe("4111")
  })

  test.each<[string, unknown, unknown]>([
    ["text where an object should be", { card: "4111", id: 1 }, { card: "[redacted]", id: 1 }],
    ["an array where an object should be", { card: ["4111"] }, { card: "[redacted]" }],
    ["text among objects", { users: [{ name: "Zoë" }, "Max"] }, { users: [{ name: "Z***" }, "[redacted]"] }],
    ["an object of odd names", { users: { "*": { name: "Zoë" } } }, { users: { "*": { name: "Z***" } } }],
    ["an array of documents", [{ card: { number: "4111" } }], "[redacted]"],
    ["JSON text", '{"card":{"number":"4111"}}', "[redacted]"],
    ["a number", 4111, "[redacted]"],
    ["null", null, "[redacted]"],
    ["nothing", undefined, "[redacted]"],
  ])("hides %s", (_, document, shown) => {
    expect(policy.redact(document)).toEqual(shown)
  })

  test("shows what is not JSON in a way that is", () => {
    class Order {
      id = 7n
      at = new Date(0)
      bytes = new Uint8Array(3)
      none = undefined
      rate = NaN
      zero = -0
      text = "\ud800"
      run = () => 1
      list = [undefined, Symbol("s")]
      card = { toJSON: () => ({ number: "4111", brand: "visa" }) }
    }
    expect(policy.redact(new Order())).toEqual({
      id: "7",
      at: "1970-01-01T00:00:00.000Z",
      bytes: "[bytes]",
      rate: "NaN",
      zero: 0,
      text: "\ufffd",
      list: [null, null],
      card: { number: "[sealed]", brand: "visa" },
    })
  })

  test("ends at circles, and does not throw what a document throws", () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    expect(JSON.stringify(policy.redact(circle))).toContain('"[too deep]"')
    const hostile = {
      get card(): never {
        throw new Error("4111")
      },
    }
    expect(policy.redact(hostile)).toBe("[redacted]")
  })

  test("reaches no prototype", () => {
    const shown = policy.redact(JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}'))
    expect(shown).toEqual({ a: {} })
    expect((shown as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test("never throws, and gives what a logger can write", { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (anything) => {
        expect(JSON.stringify(policy.redact(anything))).toBeTypeOf("string")
        expect(JSON.stringify(policy.redact({ card: anything }))).toBeTypeOf("string")
      }),
      runs(500),
    )
  })
})
