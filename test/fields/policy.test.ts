import { createHmac } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { createPolicy, type PolicyOptions } from "../../src/fields/policy.ts"
import { sealFields } from "../../src/fields/seal-fields.ts"
import type { PrivateKey } from "../../src/keys/key.ts"
import { createReader, errorOf, guardOver } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"
import { spyStore } from "../support/stores.ts"

const hashKey = new Uint8Array(32).fill(7)

const customer = {
  id: 7,
  name: "Zoë Müller",
  email: "zoe@example.org",
  phone: "+49 30 123456",
  card: { number: "4111111111111111", cvc: "123", brand: "visa" },
  notes: [{ text: "calls often" }, { text: "moved" }],
  codes: ["a", "b"],
}
const rules = {
  "/card/number": "seal",
  "/notes/*/text": "seal",
  "/card/cvc": "drop",
  "/codes/0": "drop",
  "/name": "mask",
  "/phone": { action: "mask", keepFirst: 3, keepLast: 2 },
  "/email": "hash",
  "/absent/altogether": "seal",
} as const
const SECRETS = ["4111111111111111", "calls often", "Zoë", "zoe@example.org", "30 123", '"123"']

/** A hash as docs/guides/fields.md says, with `node:crypto` alone. */
function pseudonymOf(domain: string, value: string, key: Uint8Array = hashKey): string {
  const lp = (text: string): Buffer => {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(text)))
    return Buffer.concat([length, Buffer.from(text)])
  }
  const data = [lp("sealwire/1 pseudonym"), lp(domain), lp(value), Buffer.of(1)]
  return createHmac("sha256", key).update(Buffer.concat(data)).digest("base64url")
}

describe("a field that a policy requires", () => {
  const policy = createPolicy({
    rules: { "/card/number": { action: "seal", required: true }, "/note": "seal" },
  })
  const card = { card: { number: "4111" } }

  test("has to be there for a document to be sent", async () => {
    const { key } = await createReader(node)
    for (const document of [{}, { card: {} }, { card: null }]) {
      const error = await errorOf(policy.protect(document, { to: key.publicKey }))
      expect(error).toMatchObject({ name: "RangeError", message: "document has nothing at /card/number" })
      expect(() => policy.explain(document)).toThrow(RangeError)
    }
    expect(await policy.protect(card, { to: key.publicKey })).toMatchObject({ card: {} })
  })

  test("has to be there, sealed, for a document to be taken", async () => {
    const { key } = await createReader(node)
    const now = { with: key, replay: guardOver(spyStore(), { clock: () => Date.now() }) }
    const sealed = await sealFields({ ...card, note: "x" }, { to: key.publicKey, fields: ["/note"] })
    expect(await errorOf(policy.open(sealed, now))).toMatchObject({ code: "ERR_FIELDS" })
    const without = await sealFields({ note: "x" }, { to: key.publicKey, fields: ["/note"] })
    expect(await errorOf(policy.open(without, now))).toMatchObject({ code: "ERR_FIELDS" })
    const opened = await policy.open(await policy.protect(card, { to: key.publicKey }), now)
    expect(opened.document).toEqual(card)
  })

  test("is redacted all the same, and another rule for it is another", () => {
    expect(policy.redact(card)).toEqual({ card: { number: "[sealed]" } })
    const other = createPolicy({ rules: { "/card/number": "seal" } })
    expect(() => createPolicy({ include: [policy, other] })).toThrow("can meet in one place")
    const wrong = { action: "seal", required: 1 } as never
    expect(() => createPolicy({ rules: { "/a": wrong } })).toThrow(
      "the rule for /a: required must be true or false",
    )
  })
})

describe.each([node, web])("a data-protection policy on the $name backend", (backend) => {
  let key: PrivateKey
  beforeAll(async () => {
    key = (await createReader(backend)).key
  })
  const policy = createPolicy({ rules, hashKey, backend })
  const outgoing = () => policy.protect(customer, { to: key.publicKey, context: "customers" })
  const now = () => ({
    with: key,
    context: "customers",
    replay: guardOver(spyStore(), { clock: () => Date.now() }),
  })

  test("seals, drops, masks and hashes on the way out", async () => {
    const before = structuredClone(customer)
    const { $sealed, ...rest } = await outgoing()
    expect($sealed).toBeTypeOf("string")
    expect(rest).toEqual({
      id: 7,
      name: "***",
      email: pseudonymOf("/email", '"zoe@example.org"'),
      phone: "+49***56",
      card: { brand: "visa" },
      notes: [{}, {}],
      codes: [null, "b"],
    })
    for (const secret of SECRETS) expect(JSON.stringify(rest)).not.toContain(secret)
    expect(customer).toEqual(before)
  })

  test("opens what it protected, and gives back what it sealed", async () => {
    const opened = await policy.open(JSON.stringify(await outgoing()), now())
    expect(opened.document).toMatchObject({ notes: customer.notes, card: { brand: "visa" }, name: "***" })
    expect(opened.document["card"]).toEqual({ number: customer.card.number, brand: "visa" })
    expect(opened.sealedPointers.sort()).toEqual(["/card/number", "/notes/0/text", "/notes/1/text"])
  })

  const WAYS = ["/card/number", "/notes/*/text"]
  test.each<[string, object, readonly string[]]>([
    ["is to be sealed is in clear", { card: { number: "4" } }, ["/notes/*/text"]],
    ["is to be sealed in some elements is in clear", { notes: [{ text: "a" }] }, ["/card/number"]],
    ["may not be sealed is sealed", {}, [...WAYS, "/id"]],
    ["is to be dropped is there", { card: { number: "4", cvc: "1" } }, WAYS],
    ["is to be dropped is there, as null", { card: { number: "4", cvc: null } }, WAYS],
    ["is to be dropped in an array is there", { codes: ["a"] }, WAYS],
    ["is to be masked is in clear", { name: "Zoë" }, WAYS],
    ["is to be masked is null", { name: null }, WAYS],
    ["is to be masked shows more than it may", { phone: "+49 ***56" }, WAYS],
    ["is to be masked goes on after it", { phone: "+49***30 123456" }, WAYS],
    ["is to be masked shows it at another place", { phone: "***+4956" }, WAYS],
    ["is to be hashed is in clear", { email: "zoe@example.org" }, WAYS],
    ["is to be hashed has another length", { email: "A".repeat(44) }, WAYS],
    ["is to be hashed is no canonical base64url", { email: `${"A".repeat(42)}B` }, WAYS],
    ["is to be an object is text", { card: "4111111111111111" }, ["/notes/*/text"]],
    ["is to be an array is text", { codes: "a" }, WAYS],
  ])("refuses a document, unclaimed, where what %s", async (_, changes, fieldsIfPresent) => {
    const right = { id: 7, card: { number: "4" }, notes: [{ text: "a" }], name: "***", phone: "***" }
    const sealing = { to: key.publicKey, context: "customers", fields: [], fieldsIfPresent }
    const store = spyStore()
    const replay = guardOver(store, { clock: () => Date.now() })
    const arrived = await sealFields({ ...right, ...changes }, sealing)
    expect(await errorOf(policy.open(arrived, { ...now(), replay }))).toMatchObject({ code: "ERR_FIELDS" })
    expect(store.claims).toEqual([])
    // and only for that
    await policy.open(await sealFields(right, { ...sealing, fieldsIfPresent: WAYS }), { ...now(), replay })
    expect(store.claims).toHaveLength(1)
  })

  test("refuses to send a document of another shape than a rule wants", async () => {
    const odd = { ...customer, card: "4111111111111111" }
    const refusal = await errorOf(policy.protect(odd, { to: key.publicKey }))
    expect(refusal).toEqual(new RangeError("document has no members at /card, where /card/cvc wants some"))
    expect(() => policy.explain(odd)).toThrow(RangeError)
  })

  test("binds the rest also when nothing of it is sealed", async () => {
    const masking = createPolicy({ rules: { "/name": "mask" } })
    const sealed = await masking.protect({ name: "Zoë", id: 7 }, { to: key.publicKey })
    expect((await masking.open(sealed, { ...now(), context: "" })).document).toEqual({ name: "***", id: 7 })
    const edited = masking.open({ ...sealed, id: 8 }, { ...now(), context: "" })
    expect(await errorOf(edited)).toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  test("takes the context as it was when the call was made", async () => {
    const context = new Uint8Array([1])
    const sealing = policy.protect(customer, { to: key.publicKey, context })
    context[0] = 2
    await policy.open(await sealing, { ...now(), context: new Uint8Array([1]) })
  })

  test("explains what it does to a document, without a value", () => {
    const effects = policy.explain(JSON.stringify(customer))
    expect(effects).toEqual([
      { pointer: "/card/brand", action: "keep", rule: undefined },
      { pointer: "/card/cvc", action: "drop", rule: "/card/cvc" },
      { pointer: "/card/number", action: "seal", rule: "/card/number" },
      { pointer: "/codes/0", action: "drop", rule: "/codes/0" },
      { pointer: "/codes/1", action: "keep", rule: undefined },
      { pointer: "/email", action: "hash", rule: "/email" },
      { pointer: "/id", action: "keep", rule: undefined },
      { pointer: "/name", action: "mask", rule: "/name" },
      { pointer: "/notes/0/text", action: "seal", rule: "/notes/*/text" },
      { pointer: "/notes/1/text", action: "seal", rule: "/notes/*/text" },
      { pointer: "/phone", action: "mask", rule: "/phone" },
    ])
    expectNoSecret(effects, SECRETS)
  })

  test("shows nothing of its key to a logger", () => {
    expectNoSecret(policy, [hashKey])
  })
})

describe("a hash", () => {
  const hashOf = (options: Omit<PolicyOptions, "rules">, rule: object | "hash", value: unknown): unknown =>
    (createPolicy({ ...options, rules: { "/v": rule as "hash" } }).redact({ v: value }) as { v: unknown }).v

  test("is HMAC-SHA-256 under the policy's key, of the domain and the canonical value", () => {
    expect(hashOf({ hashKey }, "hash", { b: 1, a: "ü" })).toBe(pseudonymOf("/v", '{"a":"ü","b":1}'))
    expect(hashOf({ hashKey }, { action: "hash", domain: "person" }, "x")).toBe(pseudonymOf("person", '"x"'))
  })

  test("differs by key, by domain and by the value's kind", () => {
    const other = new Uint8Array(32).fill(8)
    const hashes = [
      hashOf({ hashKey }, "hash", "1"),
      hashOf({ hashKey }, "hash", 1),
      hashOf({ hashKey: other }, "hash", "1"),
      hashOf({ hashKey }, { action: "hash", domain: "person" }, "1"),
    ]
    expect(new Set(hashes).size).toBe(4)
  })

  test("copies its key", () => {
    const mine = new Uint8Array(hashKey)
    const policy = createPolicy({ hashKey: mine, rules: { "/v": "hash" } })
    mine.fill(0)
    expect(policy.redact({ v: "x" })).toEqual({ v: pseudonymOf("/v", '"x"') })
  })

  test("is computed by the given backend, and a logger does not wait for one that answers later", async () => {
    const later = { ...node, hmacSha256: async () => new Uint8Array(32) }
    const policy = createPolicy({ hashKey, backend: later, rules: { "/v": "hash" } })
    expect(policy.redact({ v: "x" })).toEqual({ v: "[hashed]" })
    const { key } = await createReader(node)
    expect(await policy.protect({ v: "x" }, { to: key.publicKey })).toMatchObject({ v: "A".repeat(43) })
  })
})

describe("a mask", () => {
  test.each<[object | "mask", unknown, string]>([
    ["mask", "4111111111111111", "***"],
    ["mask", "", "***"],
    ["mask", 4111, "***"],
    ["mask", null, "***"],
    ["mask", { number: 1 }, "***"],
    [{ action: "mask", keepLast: 4 }, "4111111111111234", "***1234"],
    [{ action: "mask", keepFirst: 2, keepLast: 2 }, "12345678", "12***78"],
    [{ action: "mask", keepFirst: 2, keepLast: 2 }, "1234567", "***"],
    [{ action: "mask", keepLast: 1 }, "a😀", "***😀"],
    [{ action: "mask", keepLast: 4 }, 1234567812345678, "***"],
  ])("by %j makes of %j: %s", (rule, value, masked) => {
    const policy = createPolicy({ rules: { "/v": rule as "mask" } })
    expect(policy.redact({ v: value })).toEqual({ v: masked })
  })
})

describe("rules", () => {
  const refused = (options: unknown): unknown => {
    try {
      createPolicy(options as PolicyOptions)
    } catch (error) {
      return error
    }
    return expect.fail("it was not refused")
  }

  test.each<[string, object, typeof Error]>([
    ["none", {}, RangeError],
    ["an unknown option", { rule: {} }, TypeError],
    ["no object", { rules: [] as never, schema: undefined, include: [{}] }, TypeError],
    ["an unknown action", { rules: { "/a": "encrypt" } }, RangeError],
    ["an inherited action", { rules: { "/a": "toString" } }, RangeError],
    ["a keep", { rules: { "/a": "keep" } }, RangeError],
    ["an action that is null", { rules: { "/a": null } }, TypeError],
    ["an action that is a function", { rules: { "/a": () => "seal" } }, TypeError],
    ["an unknown option of an action", { rules: { "/a": { action: "mask", keep: 4 } } }, TypeError],
    ["an option of another action", { rules: { "/a": { action: "seal", keepLast: 4 } } }, TypeError],
    ["17 characters kept", { rules: { "/a": { action: "mask", keepLast: 17 } } }, RangeError],
    ["half a character kept", { rules: { "/a": { action: "mask", keepFirst: 0.5 } } }, RangeError],
    ["a hash without a key", { rules: { "/a": "hash" } }, TypeError],
    ["a short key", { rules: { "/a": "hash" }, hashKey: new Uint8Array(31) }, RangeError],
    ["a key that is text", { rules: { "/a": "hash" }, hashKey: "k".repeat(32) }, RangeError],
    [
      "a domain that is no text",
      { rules: { "/a": { action: "hash", domain: new Uint8Array(2) } }, hashKey },
      TypeError,
    ],
    ["the root", { rules: { "": "seal" } }, TypeError],
    ["no pointer", { rules: { card: "seal" } }, TypeError],
    ["__proto__", { rules: { "/__proto__": "seal" } }, TypeError],
    ["a place inside another", { rules: { "/a": "seal", "/a/b": "drop" } }, RangeError],
    ["a place that * finds, too", { rules: { "/a/*": "seal", "/a/b": "mask" } }, RangeError],
    ["two * that can meet", { rules: { "/a/*/c": "seal", "/a/b/*": "seal" } }, RangeError],
    ["a policy that is none", { include: [{ redact: () => null }] }, TypeError],
  ])("refuses %s", (_, options, kind) => {
    expect(refused(options)).toBeInstanceOf(kind)
  })

  test("join those of other policies, in any order", () => {
    const payment = createPolicy({ rules: { "/card/number": "seal" } })
    const person = createPolicy({ rules: { "/name": "hash" }, hashKey })
    const document = { name: "Zoë", card: { number: "4" }, id: 1 }
    const orders = [
      [payment, person],
      [person, payment, payment],
    ]
    for (const include of orders) {
      const joined = createPolicy({ include, rules: { "/id": "mask" } })
      expect(joined.explain(document).map(({ action }) => action)).toEqual(["seal", "mask", "hash"])
      expect(joined.redact(document)).toEqual({
        name: pseudonymOf("/name", '"Zoë"'),
        card: { number: "[sealed]" },
        id: "***",
      })
    }
  })

  test("of other policies must not contradict, also not by their keys", () => {
    const first = createPolicy({ rules: { "/a": "hash" }, hashKey })
    const second = createPolicy({ rules: { "/a": "hash" }, hashKey: new Uint8Array(32) })
    expect(refused({ include: [first, second] })).toBeInstanceOf(RangeError)
    expect(refused({ include: [first], rules: { "/a": "seal" } })).toBeInstanceOf(RangeError)
    expect(refused({ include: [first], rules: { "/*": "seal" } })).toBeInstanceOf(RangeError)
    expect(() => createPolicy({ include: [first, first] })).not.toThrow()
  })
})
