import { createHash } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { Opened } from "../../src/envelope/opened.ts"
import { open, type OpenOptions } from "../../src/envelope/open.ts"
import { importVerifyingKey } from "../../src/keys/signer.ts"
import { forge, forgeSignature, MESSAGE, NOW_SECONDS } from "../support/forge.ts"
import { createReader, errorOf, guardOver, openNow, type Reader } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

describe.each([node, web, noble])("what was opened on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })
  const openMessage = (message: string | Uint8Array): Promise<Opened> => openNow(reader, forge({ message }))

  test("says what, when, for whom, and that nobody is proven to have sent it", async () => {
    const opened = await openMessage(MESSAGE)
    expect(opened).toBeInstanceOf(Opened)
    expect(opened.text()).toBe(MESSAGE)
    expect(Buffer.from(opened.digest)).toEqual(createHash("sha256").update(MESSAGE).digest())
    expect(opened.issuedAt).toEqual(new Date(NOW_SECONDS * 1000))
    expect(opened.kid).toBe(reader.key.kid)
    expect(opened.id).toHaveLength(22)
    expect(opened.signer).toBeUndefined()
    expect("signer" in opened).toBe(true)
  })

  test("says who signed it", async () => {
    const key = await importVerifyingKey(publicJwk(knownAnswers.signer), { backend })
    const envelope = forge({ signature: (payload) => forgeSignature(knownAnswers.signer, payload) })
    for (const policy of [{ signedBy: key }, { signedBy: [key] }, { knownSigners: [key] }]) {
      expect((await openNow(reader, envelope, policy)).signer).toBe(key.kid)
    }
  })

  test.each([
    ["null", null],
    ["5", 5],
    ['"text"', "text"],
    ['{"a":[1,{"b":"\\u00e9"}]}', { a: [1, { b: "é" }] }],
    ['{"constructor":5}', JSON.parse('{"constructor":5}')],
    ['{"constructor":{"name":"x"}}', JSON.parse('{"constructor":{"name":"x"}}')],
  ])("gives JSON: %s", async (text, value) => {
    expect((await openMessage(text)).json()).toEqual(value)
  })

  test.each([
    '{"__proto__":{"admin":true}}',
    '{"__proto__":null}',
    '{"a":[{"__proto__":{}}]}',
    '{"\\u005f_proto__":{"admin":true}}',
    '{"__prot\\u006f__":{}}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"\\u0063onstructor":{"prototype":{}}}',
    '{"constructor":{"pr\\u006ftotype":{}}}',
    "",
    "{",
    "{'a':1}",
    "undefined",
    "NaN",
    '{"a":1,}',
    "\ufeff{}",
    "1 2",
  ])("refuses as JSON, and pollutes nothing: %s", async (text) => {
    const error = await errorOf((async () => (await openMessage(text)).json())())
    expect(error).toMatchObject({ name: "SealwireError", code: "ERR_MESSAGE_FORMAT" })
    expect(error).not.toHaveProperty("cause")
    expect(({} as { admin?: true }).admin).toBeUndefined()
  })

  test("refuses as JSON what is nested too deeply to be looked at", async () => {
    const deep = `${'{"constructor":'.repeat(200_000)}1${"}".repeat(200_000)}`
    expect(await errorOf((async () => (await openMessage(deep)).json())())).toMatchObject({
      code: "ERR_MESSAGE_FORMAT",
    })
  })

  test.each([[[0xff]], [[0xc0, 0xaf]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]], [[0xe2, 0x82]]])(
    "refuses as text bytes that are not UTF-8: %j",
    async (bytes) => {
      const opened = await openMessage(Buffer.from(bytes))
      for (const read of [() => opened.text(), () => opened.json()]) {
        expect(await errorOf((async () => read())())).toMatchObject({ code: "ERR_MESSAGE_FORMAT" })
      }
      expect(Buffer.from(opened.message)).toEqual(Buffer.from(bytes))
    },
  )

  test("keeps a byte order mark, as it was sealed", async () => {
    expect((await openMessage("\ufeffx")).text()).toBe("\ufeffx")
  })
})

describe("opening", () => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(node)
  })

  test.each<[name: string, options: (right: OpenOptions) => unknown, names: string]>([
    ["no options", () => undefined, "options must be an object"],
    ["no key", ({ replay }) => ({ replay }), "options.with must be a private key"],
    [
      "a public key",
      (right) => ({ ...right, with: reader.key.publicKey }),
      "options.with must be a private key",
    ],
    ["a JWK", (right) => ({ ...right, with: knownAnswers.recipient }), "options.with must be a private key"],
    ["no guard", ({ with: key }) => ({ with: key }), "options.replay must be a replay guard"],
    [
      "no guard but a store",
      (right) => ({ ...right, replay: spyStore() }),
      "options.replay must be a replay guard",
    ],
    [
      "a guard that is false",
      (right) => ({ ...right, replay: false }),
      "options.replay must be a replay guard",
    ],
    ["a misspelt option", (right) => ({ ...right, signedby: [] }), 'no option "signedby"'],
    ["a context that is null", (right) => ({ ...right, context: null }), "options.context must be"],
    [
      "a signer that is null",
      (right) => ({ ...right, signedBy: null }),
      "options.signedBy must be a verifying key",
    ],
    ["signers with a hole", (right) => ({ ...right, signedBy: [undefined] }), "options.signedBy must be"],
    [
      "known signers that are one key",
      (right) => ({ ...right, knownSigners: {} }),
      "options.knownSigners must be",
    ],
    [
      "known signers by name",
      (right) => ({ ...right, knownSigners: ["kid"] }),
      "options.knownSigners must be",
    ],
    ["both policies", (right) => ({ ...right, signedBy: [], knownSigners: [] }), "exclude each other"],
    ["a limit of 0", (right) => ({ ...right, maxMessageBytes: 0 }), "maxMessageBytes must be"],
    ["a limit as text", (right) => ({ ...right, maxMessageBytes: "5" }), "maxMessageBytes must be"],
  ])("throws at once, whatever the envelope, for %s", async (_, options, names) => {
    const right = { with: reader.key, replay: guardOver(spyStore()) }
    const before = reader.unwraps
    for (const envelope of [forge(), "no envelope"]) {
      const error = await errorOf(open(envelope, options(right) as OpenOptions))
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
      expect((error as Error).message).toContain(names)
    }
    expect(reader.unwraps).toBe(before)
  })
})
