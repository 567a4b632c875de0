import { describe, expect, test } from "vitest"

import { createPolicy, type PolicyOptions } from "../../src/fields/policy.ts"

const restricted = { type: "string", "x-sensitivity": "restricted" }
const sensitivity = { restricted: "seal", internal: "mask", public: "keep" } as const

const create = (schema: object, options: Partial<PolicyOptions> = {}) =>
  createPolicy({ schema, sensitivity, ...options })

/** Which rules a schema gives: those that are found in a document, by their own pointers. */
const rulesFor = (schema: object, document: object, options: Partial<PolicyOptions> = {}): unknown =>
  create(schema, options)
    .explain(document)
    .flatMap(({ rule, action }) => (rule === undefined ? [] : [`${action} ${rule}`]))

describe("rules from a JSON Schema", () => {
  test("are found in properties, items, definitions and combinations", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      required: ["card"],
      properties: {
        card: { $ref: "#/$defs/card" },
        spare: { $ref: "#/definitions/old" },
        name: { type: "string", "x-sensitivity": "internal" },
        city: { type: "string", "x-sensitivity": "public" },
        notes: { type: "array", items: { properties: { text: restricted, at: {} } } },
        pair: { prefixItems: [{}, restricted] },
        labels: { type: "object", additionalProperties: restricted },
      },
      allOf: [{ properties: { a: restricted } }],
      anyOf: [{ properties: { b: restricted } }, { properties: { b: { minLength: 1 } } }],
      if: { properties: { kind: { const: "x" } } },
      then: { properties: { c: restricted } },
      $defs: { card: { properties: { number: restricted, brand: {} } }, unused: { type: "null" } },
      definitions: { old: restricted },
    }
    const document = {
      card: { number: "4", brand: "visa" },
      spare: "s",
      name: "Zoë",
      city: "Bern",
      notes: [{ text: "t", at: 1 }],
      pair: [1, 2],
      labels: { x: "y" },
      a: 1,
      b: 2,
      c: 3,
    }
    expect(rulesFor(schema, document)).toEqual([
      "seal /a",
      "seal /b",
      "seal /c",
      "seal /card/number",
      "seal /labels/*",
      "mask /name",
      "seal /notes/*/text",
      "seal /pair/1",
      "seal /spare",
    ])
  })

  test("go together with others, and take another annotation", () => {
    const schema = { properties: { iban: { "x-class": "pii" } } }
    const options = { annotation: "x-class", sensitivity: { pii: "drop" }, rules: { "/id": "mask" } } as const
    expect(rulesFor(schema, { iban: "CH", id: 1 }, options)).toEqual(["drop /iban", "mask /id"])
  })

  test.each<[string, object, string]>([
    ["a level that has no action", { properties: { a: { "x-sensitivity": "secret" } } }, '"secret"'],
    [
      "a level named like a method",
      { properties: { a: { "x-sensitivity": "toString" } } },
      'what happens to "toString"',
    ],
    ["a level that is no text", { properties: { a: { "x-sensitivity": 3 } } }, "must be a string"],
    ["a level of the whole document", restricted, "the whole document"],
    ["no level at all", { properties: { a: {} } }, "has no rule"],
    ["a level under patternProperties", { patternProperties: { "^x": restricted } }, "/patternProperties/^x"],
    ["a level under not", { properties: { a: { not: restricted } } }, "/properties/a/not"],
    ["a level under contains", { properties: { a: { contains: { items: restricted } } } }, "/contains/items"],
    ["a level in a list of items", { properties: { a: { items: [restricted] } } }, "/properties/a/items/0"],
    [
      "a level under a property's dependent schemas",
      { dependentSchemas: { a: restricted } },
      "/dependentSchemas/a",
    ],
    [
      "a definition that nothing names",
      { $defs: { a: restricted }, properties: {} },
      "/$defs/a applies to nothing",
    ],
    ["definitions inside", { properties: { a: { $defs: { b: restricted } } } }, "/properties/a/$defs/b"],
    ["a reference to elsewhere", { properties: { a: { $ref: "card.json" } } }, "$ref at /a"],
    ["a reference to nothing", { $ref: "#/$defs/card" }, "$ref at the root"],
    ["a reference to a method", { $ref: "#/$defs/toString", $defs: {} }, "$ref at the root"],
    [
      "a circle",
      {
        $ref: "#/$defs/tree",
        $defs: { tree: { properties: { kids: { items: { $ref: "#/$defs/tree" } }, v: restricted } } },
      },
      "a circle",
    ],
    ["properties of older definitions", { definitions: { a: restricted } }, "/definitions/a"],
    ["a circle in one place", { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "a circle"],
    [
      "two levels of one place",
      {
        properties: { a: restricted },
        allOf: [{ properties: { a: { "x-sensitivity": "internal" } } }],
      },
      "can meet in one place",
    ],
    ["a level inside a level", { properties: { a: { ...restricted, items: restricted } } }, "can meet"],
    [
      "a property that has a rule beside additional ones",
      { properties: { a: restricted }, additionalProperties: restricted },
      "can meet",
    ],
    [
      "a property that reaches a prototype",
      { properties: { constructor: restricted } },
      "reaches a prototype",
    ],
  ])("refuse %s", (_, schema, reason) => {
    expect(() => create(schema)).toThrow(reason)
  })

  test.each<[string, unknown]>([
    ["a schema alone", { schema: { properties: { a: restricted } } }],
    ["levels alone", { sensitivity }],
    ["a schema that is no object", { schema: true, sensitivity }],
    ["levels that are no object", { schema: { properties: { a: restricted } }, sensitivity: "seal" }],
    ["an unknown action", { schema: { properties: { a: restricted } }, sensitivity: { restricted: "hide" } }],
  ])("refuse %s", (_, options) => {
    expect(() => createPolicy(options as PolicyOptions)).toThrow()
  })
})
