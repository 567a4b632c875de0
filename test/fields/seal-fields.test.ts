import { beforeAll, describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { openFields } from "../../src/fields/open-fields.ts"
import { sealFields, type SealFieldsOptions } from "../../src/fields/seal-fields.ts"
import type { PrivateKey } from "../../src/keys/key.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { createReader, errorOf } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"

const order = {
  amount: 120,
  card: { number: "4111", "a/b": 1, "m~n": 2, "*": 3, constructor: 4 },
  items: [{ sku: "a", note: "n1" }, { sku: "b" }, null],
  nothing: null,
  empty: [],
}

describe("sealing fields", () => {
  let key: PrivateKey
  beforeAll(async () => {
    key = (await createReader(node)).key
  })

  const sealOrder = (fields: readonly string[], options: Partial<SealFieldsOptions> = {}) =>
    sealFields(order, { to: key.publicKey, fields, ...options })

  /** The clear rest of what was sealed. */
  async function restOf(fields: readonly string[], fieldsIfPresent: readonly string[] = []): Promise<object> {
    const { $sealed, ...rest } = await sealOrder(fields, { fieldsIfPresent })
    expect($sealed).toBeTypeOf("string")
    return rest
  }

  test("takes a member away and leaves a null in an array", async () => {
    const before = structuredClone(order)
    expect(await restOf(["/card", "/items/1", "/amount"])).toEqual({
      items: [order.items[0], null, null],
      nothing: null,
      empty: [],
    })
    expect(order).toEqual(before)
  })

  test("shares nothing with the document it was given", async () => {
    const document = { open: { value: 1 }, secret: 1 }
    const sealed = await sealFields(document, { to: key.publicKey, fields: ["/secret"] })
    expect(sealed["open"]).not.toBe(document.open)
  })

  test("takes the document as it was when the call was made", async () => {
    const document = { open: 1, secret: 1 }
    const context = new Uint8Array([1])
    const sealing = sealFields(document, { to: key.publicKey, fields: ["/secret"], context })
    document.open = document.secret = 2
    context[0] = 2
    const opening = { with: key, replay: dangerouslyAcceptReplays, mustBeSealed: ["/secret"] }
    const opened = await openFields(await sealing, { ...opening, context: new Uint8Array([1]) })
    expect(opened.document).toEqual({ open: 1, secret: 1 })
  })

  test.each<[string, readonly string[], string[]]>([
    ["every element", ["/items/*"], ["/items/0", "/items/1", "/items/2"]],
    ["every element of none", ["/empty/*", "/amount"], ["/amount"]],
    ["a member of every element", ["/items/0/*"], ["/items/0/sku", "/items/0/note"]],
    ["escaped names", ["/card/a~1b", "/card/m~0n"], ["/card/a~1b", "/card/m~0n"]],
    ["one place twice", ["/items/1", "/items/1"], ["/items/1"]],
  ])("finds %s", async (_, fields, pointers) => {
    const opened = await openFields(await sealOrder(fields), {
      with: key,
      replay: dangerouslyAcceptReplays,
      mustBeSealed: fields,
    })
    expect(opened.document).toEqual(order)
    expect(opened.sealedPointers.sort()).toEqual(pointers.sort())
  })

  test("leaves out what is optional and absent", async () => {
    expect(await restOf(["/card"], ["/items/*/note", "/nothing/of/this", "/buyer/name"])).toMatchObject({
      items: [{ sku: "a" }, { sku: "b" }, null],
    })
  })

  test.each<[string, string[]]>([
    ["a misspelled name", ["/crad/number"]],
    ["an absent member", ["/card/cvc"]],
    ["an absent member behind *", ["/items/*/note"]],
    ["an element past the end", ["/items/3"]],
    ["a member of null", ["/nothing/a"]],
    ["any member of null", ["/nothing/*"]],
    ["a member of a number", ["/amount/value"]],
    ["any member of a number", ["/amount/*"]],
    ["an index that is a name", ["/items/first"]],
    ["a padded index", ["/items/00"]],
    ["the place after the last", ["/items/-"]],
    ["a place inside another", ["/card/number", "/card"]],
    ["a place inside one that * finds", ["/items/0/sku", "/items/*"]],
    ["a member whose name is *, found by *", ["/card/*"]],
    ["nothing at all", []],
  ])("refuses %s", async (_, fields) => {
    expect(await errorOf(sealOrder(fields))).toBeInstanceOf(RangeError)
  })

  test("refuses an optional field of another shape, which would go out in clear", async () => {
    const refusal = await errorOf(sealOrder(["/card"], { fieldsIfPresent: ["/amount/value"] }))
    expect(refusal).toEqual(
      new RangeError("document has no members at /amount, where /amount/value wants some"),
    )
  })

  test.each<[string, unknown]>([
    ["the root", ""],
    ["the envelope", "/$sealed"],
    ["a member of the envelope", "/$sealed/a"],
    ["no slash", "card/number"],
    ["a path in dots", "$.card.number"],
    ["a bad escape", "/card/~2"],
    ["__proto__", "/__proto__"],
    ["a constructor", "/card/constructor"],
    ["a prototype", "/card/prototype/x"],
    ["a lone surrogate", "/\ud800"],
    ["a fragment", "#/card"],
    ["a number", 1],
    ["nothing", undefined],
  ])("refuses the pointer that is %s", async (_, pointer) => {
    const refusal = await errorOf(sealOrder([pointer as string]))
    expect(refusal).toBeInstanceOf(TypeError)
    expect(String(refusal)).toContain("options.fields[0]")
  })

  test.each<[string, unknown, RegExp]>([
    ["an array", [1], /must be a JSON object/],
    ["text of an array", "[1]", /must be a JSON object/],
    ["a number", 1, /must be a JSON object/],
    ["null", null, /must be a JSON object/],
    ["no JSON", "{", /is not JSON/],
    ["doubled names", '{"a":1,"a":2}', /two members of one name/],
    ["a number that a double changes", '{"a":0.10000000000000001}', /a double does not carry/],
    ["a Date", { a: new Date(0) }, /an object of a class, .* at \/a/],
    ["undefined", { a: undefined }, /undefined, .* at \/a/],
    ["negative zero", { a: -0 }, /negative zero/],
  ])("refuses a document that is or has %s", async (_, document, message) => {
    const refusal = await errorOf(sealFields(document as object, { to: key.publicKey, fields: ["/a"] }))
    expect(refusal).toBeInstanceOf(TypeError)
    expect(String(refusal)).toMatch(message)
  })

  test("refuses a document that has an envelope already", async () => {
    const sealed = await sealOrder(["/amount"])
    const again = sealFields(sealed, { to: key.publicKey, fields: ["/card"] })
    expect(await errorOf(again)).toEqual(new RangeError('document has a member "$sealed" already'))
  })

  test("refuses sealed values above the limit, and takes those at it", async () => {
    const fields = ["/amount"]
    const size = '{"/amount":120}'.length
    expect(await errorOf(sealOrder(fields, { maxMessageBytes: size - 1 }))).toMatchObject({
      code: "ERR_TOO_LARGE",
    })
    const sealed = await sealOrder(fields, { maxMessageBytes: size })
    const options = { with: key, replay: dangerouslyAcceptReplays, mustBeSealed: fields }
    expect(await errorOf(openFields(sealed, { ...options, maxMessageBytes: size - 1 }))).toMatchObject({
      code: "ERR_OPEN_FAILED",
    })
    expect((await openFields(sealed, { ...options, maxMessageBytes: size })).document).toEqual(order)
  })

  test("names a wrong argument, and shows no value", async () => {
    const secret = "the number of the card"
    const document = { secret, at: new Date(0) }
    const to = key.publicKey
    const opening = { with: key, replay: dangerouslyAcceptReplays, mustBeSealed: [] }
    const mistakes: [Promise<unknown>, string][] = [
      [sealFields(document, { to, fields: ["/secret"] }), "document"],
      [sealFields({ secret }, { to, fields: "/secret" as never }), "options.fields"],
      [sealFields({ secret }, { to, fields: ["/secret"], fieldsIfPresent: {} as never }), "fieldsIfPresent"],
      [sealFields({ secret }, { to: secret as never, fields: ["/secret"] }), "options.to"],
      [sealFields({ secret }, { to, fields: ["/secret"], paths: [] } as never), "paths"],
      [sealFields({ secret }, { to, fields: ["/secret"], context: 1 as never }), "options.context"],
      [openFields(secret, { ...opening, mustBeSealed: undefined as never }), "options.mustBeSealed"],
      [openFields(secret, { ...opening, replay: undefined as never }), "options.replay"],
      [openFields(secret, { ...opening, with: undefined as never }), "options.with"],
      [openFields(secret, { ...opening, context: 1 as never }), "options.context"],
      [openFields(secret, { ...opening, maySeal: [1] as never }), "options.maySeal[0]"],
      [openFields(secret, { ...opening, fields: [] } as never), "fields"],
    ]
    for (const [mistake, name] of mistakes) {
      const error = await errorOf(mistake)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain(name)
      expectNoSecret(error, [secret])
    }
  })
})
