import { beforeAll, describe, expect, test } from "vitest"

import type { JsonObject } from "../../src/base/json-value.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { openFields, type OpenFieldsOptions } from "../../src/fields/open-fields.ts"
import { sealFields, type SealFieldsOptions } from "../../src/fields/seal-fields.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { MESSAGE } from "../support/forge.ts"
import { forgeFields } from "../support/forge-fields.ts"
import { createReader, errorOf, guardOver, type Reader } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"
import { spyStore } from "../support/stores.ts"

const NUMBER = "4111111111111111"
const order = { amount: 120, card: { brand: "visa", number: NUMBER }, items: [{ note: "gift" }, "b"] }
const FIELDS = ["/card/number", "/items/1"]

describe.each([node, web])("documents with sealed fields on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })

  const sealOrder = (options: Partial<SealFieldsOptions> = {}, document: object = order) =>
    sealFields(document, { to: reader.key.publicKey, fields: FIELDS, context: "orders", ...options })

  /** Opens what was sealed now; `"P0"`, `"P1"` or the code that it was refused with, and then nothing was claimed. */
  async function outcomeOf(
    arrived: unknown,
    options: Partial<OpenFieldsOptions> = {},
  ): Promise<string | JsonObject> {
    const store = spyStore()
    const before = reader.unwraps
    const replay = guardOver(store, { clock: () => Date.now() })
    const opening = openFields(arrived as string, {
      with: reader.key,
      context: "orders",
      replay,
      mustBeSealed: FIELDS,
      ...options,
    })
    try {
      const opened = (await opening).document
      expect(store.claims).toHaveLength(1)
      return opened
    } catch (error) {
      expect(store.claims).toEqual([])
      expectNoSecret(error, [NUMBER, MESSAGE])
      const { code } = error as { code: string }
      if (code !== "ERR_OPEN_FAILED") return code
      expect(error).not.toHaveProperty("cause")
      return reader.unwraps === before ? "P0" : "P1"
    }
  }

  test("open, when nobody touched them", async () => {
    expect(await outcomeOf(await sealOrder())).toEqual(order)
    expect(await outcomeOf(JSON.stringify(await sealOrder()))).toEqual(order)
  })

  test.each<[string, (sealed: JsonObject) => unknown]>([
    ["a clear value is edited", (sealed) => ({ ...sealed, amount: 121 })],
    ["a clear value changes its kind", (sealed) => ({ ...sealed, amount: "120" })],
    ["a clear member is added", (sealed) => ({ ...sealed, discount: 1 })],
    [
      "a clear member is added beside a sealed one",
      (sealed) => ({ ...sealed, card: { brand: "visa", cvc: "1" } }),
    ],
    ["a clear member is dropped", ({ amount: _, ...sealed }) => sealed],
    ["a clear member is renamed", ({ amount, ...sealed }) => ({ ...sealed, total: amount })],
    ["an element is dropped", (sealed) => ({ ...sealed, items: [{ note: "gift" }] })],
    ["an element is added", (sealed) => ({ ...sealed, items: [{ note: "gift" }, null, null] })],
    ["elements change places", (sealed) => ({ ...sealed, items: [null, { note: "gift" }] })],
    ["a sealed element is overwritten", (sealed) => ({ ...sealed, items: [{ note: "gift" }, "c"] })],
    [
      "a sealed member is overwritten",
      (sealed) => ({ ...sealed, card: { brand: "visa", number: "5105105105105100" } }),
    ],
    ["the way to a sealed member is gone", ({ card: _, ...sealed }) => sealed],
    ["the envelope is dropped", ({ $sealed: _, ...sealed }) => sealed],
    ["the envelope is no text", (sealed) => ({ ...sealed, $sealed: [sealed["$sealed"]] })],
    ["the document is inside another", (sealed) => ({ order: sealed })],
    [
      "the document is inside another, with its envelope outside",
      (sealed) => ({ order: sealed, $sealed: sealed["$sealed"] ?? null }),
    ],
    ["the document is in an array", (sealed) => [sealed]],
    ["the document is its envelope", (sealed) => sealed["$sealed"]],
    ["there is no document", () => null],
    ["there is nothing", () => undefined],
    ["a member reaches a prototype", (sealed) => JSON.stringify(sealed).replace("{", '{"__proto__":{},')],
    [
      "a member is doubled, the good one first",
      (sealed) => JSON.stringify(sealed).replace("{", '{"amount":120,'),
    ],
    [
      "a member is doubled, the good one last",
      (sealed) => JSON.stringify(sealed).replace("{", '{"amount":1,'),
    ],
    [
      "a member is doubled by an escape",
      (sealed) => JSON.stringify(sealed).replace("{", '{"\\u0061mount":1,'),
    ],
    [
      "a member inside is doubled",
      (sealed) => JSON.stringify(sealed).replace('"brand"', '"brand":"amex", "brand"'),
    ],
    ["the envelope is doubled", (sealed) => JSON.stringify(sealed).replace("{", '{"$sealed":"",')],
    [
      "a number has digits that a double drops",
      (sealed) => JSON.stringify(sealed).replace("120", "120.00000000000000001"),
    ],
    ["the text is cut", (sealed) => JSON.stringify(sealed).slice(0, -1)],
    ["the text is followed by more", (sealed) => `${JSON.stringify(sealed)}{}`],
    ["the text begins with a byte order mark", (sealed) => `\ufeff${JSON.stringify(sealed)}`],
    ["the text is 100,000 levels deep", () => `{"a":`.repeat(100_000)],
    ["the text is 100,000 arrays", (sealed) => `${"[".repeat(100_000)}${JSON.stringify(sealed)}`],
    [
      "a getter throws",
      (sealed) =>
        Object.defineProperty({ ...sealed }, "amount", {
          enumerable: true,
          get() {
            throw new Error(NUMBER)
          },
        }),
    ],
  ])("are refused before any private-key operation when %s", async (_, change) => {
    expect(await outcomeOf(change(await sealOrder()))).toBe("P0")
  })

  test("are refused with the envelope of another document, and under another context", async () => {
    const sealed = await sealOrder()
    const other = await sealOrder({}, { ...order, amount: 9 })
    expect(await outcomeOf({ ...sealed, $sealed: other["$sealed"] })).toBe("P0")
    expect(await outcomeOf({ ...other, $sealed: sealed["$sealed"] })).toBe("P0")
    expect(await outcomeOf(sealed, { context: "refunds" })).toBe("P0")
  })

  test("swapped between two documents with one clear rest stay with the one they were sealed in", async () => {
    const first = await sealOrder({}, { ...order, card: { brand: "visa", number: "1" } })
    const second = await sealOrder()
    // nothing in clear tells them apart: the whole envelope is the document
    const swapped = { ...first, $sealed: second["$sealed"] }
    expect(await outcomeOf(swapped)).toEqual(order)
  })

  test("count once", async () => {
    const sealed = await sealOrder()
    const options = {
      with: reader.key,
      context: "orders",
      mustBeSealed: FIELDS,
      replay: guardOver(spyStore(), { clock: () => Date.now() }),
    }
    await openFields(sealed, options)
    const copies = [sealed, JSON.stringify(sealed), Object.fromEntries(Object.entries(sealed).reverse())]
    for (const copy of copies) {
      expect(await errorOf(openFields(copy, options))).toMatchObject({ code: "ERR_REPLAYED" })
    }
  })

  test("claim nothing before the reader's policy is held, so that the same document opens under the right one", async () => {
    const store = spyStore()
    const replay = guardOver(store, { clock: () => Date.now() })
    const options = { with: reader.key, context: "orders", replay }
    const sealed = await sealOrder()
    const strict = openFields(sealed, { ...options, mustBeSealed: [...FIELDS, "/amount"] })
    expect(await errorOf(strict)).toMatchObject({ code: "ERR_FIELDS" })
    expect(store.claims).toEqual([])
    await openFields(sealed, { ...options, mustBeSealed: FIELDS })
    expect(store.claims).toHaveLength(1)
  })

  test.each<[string, Partial<SealFieldsOptions>, Partial<OpenFieldsOptions>]>([
    ["a required field is sent in clear", { fields: ["/items/1"] }, {}],
    ["a required element is sent in clear", { fields: ["/card/number"] }, {}],
    ["one more field is sealed", { fields: [...FIELDS, "/amount"] }, {}],
    ["a required field is sealed with all around it", { fields: ["/card", "/items/1"] }, {}],
    ["a field is sealed inside one that may be", {}, { mustBeSealed: ["/items/1"], maySeal: ["/card"] }],
    [
      "a field is sealed around those that may be",
      { fields: ["/items"] },
      { mustBeSealed: [], maySeal: ["/items/*"] },
    ],
    ["a required field is absent", {}, { mustBeSealed: [...FIELDS, "/card/cvc"] }],
    ["a required field has no parent", {}, { mustBeSealed: [...FIELDS, "/buyer/name"] }],
    ["an element of * is sent in clear", {}, { mustBeSealed: ["/card/number", "/items/*"] }],
    [
      "a member of * is sent in clear",
      {},
      { mustBeSealed: ["/items/1"], sealedIfPresent: ["/card/number", "/card/*"] },
    ],
    [
      "what must be sealed if it is there is in clear",
      { fields: ["/items/1"] },
      { mustBeSealed: ["/items/1"], sealedIfPresent: ["/card/number"] },
    ],
    [
      "there is text where an object should be",
      {},
      { mustBeSealed: FIELDS, sealedIfPresent: ["/amount/value"] },
    ],
    [
      "there is an object where an array should be",
      {},
      { mustBeSealed: ["/card/number"], sealedIfPresent: ["/items/1", "/items/x"] },
    ],
  ])("are refused, unclaimed, when %s", async (_, sealing, opening) => {
    expect(await outcomeOf(await sealOrder(sealing), opening)).toBe("ERR_FIELDS")
  })

  test.each<[string, string | Uint8Array]>([
    ["the root", '{"":1}'],
    ["no pointer", '{"a":1}'],
    ["a bad escape", '{"/a~2":1}'],
    ["a lone tilde", '{"/a~":1}'],
    ["a *", '{"/*":1}'],
    ["the envelope", '{"/$sealed":1}'],
    ["something inside the envelope", '{"/$sealed/a":1}'],
    ["__proto__", '{"/__proto__":{}}'],
    ["a prototype", '{"/o/constructor/prototype":{}}'],
    ["a constructor", '{"/constructor":{}}'],
    ["a member that is there", '{"/o":1}'],
    ["a member that is there and null", '{"/n":1}'],
    ["a member of text", '{"/s/a":1}'],
    ["a member of null", '{"/n/a":1}'],
    ["a member of nothing", '{"/x/a":1}'],
    ["an element that is there", '{"/l/0":1}'],
    ["an element past the end", '{"/l/2":1}'],
    ["the element after the last", '{"/l/-":1}'],
    ["an element by a padded index", '{"/l/01":1}'],
    ["an element by a signed index", '{"/l/+1":1}'],
    ["an element's length", '{"/l/length":1}'],
    ["a place inside another", '{"/a":{},"/a/b":1}'],
    ["a place inside a sealed element", '{"/l/1":{},"/l/1/b":1}'],
    ["300 segments", `{"${"/a".repeat(300)}":1}`],
    ["a value with __proto__", '{"/a":{"__proto__":1}}'],
    ["a value with a constructor's prototype", '{"/a":{"constructor":{"prototype":1}}}'],
  ])("of a hostile sender are refused, unclaimed, when M names %s", async (_, sealed) => {
    const document = forgeFields('{"l":[0,null],"n":null,"o":{},"s":"t"}', sealed)
    expect(await forged(document)).toBe("ERR_FIELDS")
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })

  test.each<[string, string | Uint8Array]>([
    ["empty", ""],
    ["no JSON", "{"],
    ["no UTF-8", Buffer.from('{"/a":"\xff"}', "latin1")],
    ["an array", "[]"],
    ["null", "null"],
    ["text", '"/a"'],
    ["spaced", '{"/a": 1}'],
    ["out of order", '{"/b":1,"/a":1}'],
    ["with a doubled pointer", '{"/a":1,"/a":2}'],
    ["with a number in another form", '{"/a":1.0}'],
    ["with a number that a double changes", '{"/a":12345678901234567890}'],
    ["with an infinite number", '{"/a":1e400}'],
    ["with a negative zero", '{"/a":-0}'],
    ["with a lone surrogate", '{"/a":"\\ud800"}'],
    ["with a needless escape", '{"/a":"\\u0061"}'],
    ["too deep", `{"/a":${"[".repeat(300)}${"]".repeat(300)}}`],
  ])("of a hostile sender are refused, unclaimed, when M is %s", async (_, sealed) => {
    expect(await forged(forgeFields("{}", sealed))).toBe("ERR_FIELDS")
  })

  test("of a sender who seals rightly with other code are opened", async () => {
    const document = forgeFields('{"l":[0,null]}', '{"/a":{"b":[1]},"/l/1":null,"/~01~1":"x"}', "outer")
    expect(await forged(document, { context: "outer" })).toEqual({
      l: [0, null],
      a: { b: [1] },
      "~1/": "x",
    })
  })

  /** Opens a forgery at its time, for a reader who lets it seal what it likes. */
  async function forged(
    document: object,
    options: Partial<OpenFieldsOptions> = {},
  ): Promise<string | JsonObject> {
    const store = spyStore()
    const maySeal = ["/*", "/*/*", "/*/*/*"]
    const replay = guardOver(store)
    try {
      const opened = await openFields(document, {
        with: reader.key,
        replay,
        mustBeSealed: [],
        maySeal,
        ...options,
      })
      expect(store.claims).toHaveLength(1)
      return opened.document
    } catch (error) {
      expect(store.claims).toEqual([])
      return (error as { code: string }).code
    }
  }

  test("signed by another are refused, and name their signer otherwise", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair({ backend })
    const stranger = await generateSigningKeyPair({ backend })
    const sealed = await sealOrder({ signWith: signingKey })
    const options = {
      with: reader.key,
      context: "orders",
      replay: dangerouslyAcceptReplays,
      mustBeSealed: FIELDS,
    }
    expect((await openFields(sealed, { ...options, signedBy: verifyingKey })).signer).toBe(verifyingKey.kid)
    expect(await outcomeOf(sealed, { signedBy: stranger.verifyingKey })).toBe("P1")
    expect(await outcomeOf(sealed)).toBe("P1")
    expect(await outcomeOf(await sealOrder(), { signedBy: verifyingKey })).toBe("P1")
  })

  test("inside a document are data, which nothing opens", async () => {
    const inner = await sealOrder()
    const outer = await sealOrder({ fields: ["/note"] }, { note: "n", inner })
    expect(await outcomeOf(outer, { mustBeSealed: ["/note"] })).toEqual({ note: "n", inner })
  })

  test("show nothing of what they hide to a logger", async () => {
    const opened = await openFields(await sealOrder(), {
      with: reader.key,
      context: "orders",
      replay: dangerouslyAcceptReplays,
      mustBeSealed: FIELDS,
    })
    expectNoSecret(opened, [NUMBER])
    expect(opened.document).toEqual(order)
  })
})
