import { format } from "node:util"

import { beforeAll, describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import type { Opened } from "../../src/envelope/opened.ts"
import { seal, sealRequest } from "../../src/envelope/seal.ts"
import { createKeyRing } from "../../src/keys/ring.ts"
import { generateKeyPair, importPrivateKey } from "../../src/keys/recipient.ts"
import { generateSigningKeyPair, importSigningKey } from "../../src/keys/signer.ts"
import { memoryStore } from "../../src/replay/memory-store.ts"
import { canaries } from "../support/canaries.ts"
import { CONTENT_KEY, forge, MESSAGE, SEED } from "../support/forge.ts"
import { createReader, errorOf, guardOver, openNow, type Reader } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"
import { spyStore } from "../support/stores.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const privateMembers = ["d", "p", "q", "dp", "dq", "qi"].flatMap((member) =>
  [knownAnswers.recipient, knownAnswers.signer, knownAnswers.signer_es256].flatMap((jwk) =>
    typeof jwk[member] === "string" ? [Buffer.from(jwk[member], "base64url")] : [],
  ),
)

describe.each([node, web])("what a logger sees on the $name backend", (backend) => {
  let reader: Reader
  let opened: Opened
  beforeAll(async () => {
    reader = await createReader(backend)
    opened = await openNow(reader, forge())
  })

  test("the check itself sees a secret that is there, however it is spelled", () => {
    for (const leak of [
      { seed: new Uint8Array(SEED) },
      { seed: SEED },
      new Error(SEED.toString("hex")),
      new Error("outer", { cause: new Error(SEED.toString("base64")) }),
      [SEED.toString("base64url")],
      Object.defineProperty({}, "hidden", { value: SEED.toString("latin1"), enumerable: false }),
      { deep: [{ map: new Map([["key", new Set([[...SEED]])]]) }] },
    ]) {
      expect(() => {
        expectNoSecret(leak, [SEED])
      }).toThrow()
    }
    // of the watch over all tests, which has seen them, too
    expect(canaries.takeFindings().length).toBeGreaterThan(0)
  })

  test("nothing of the message, the seed or the content key in what was opened", () => {
    expectNoSecret(opened, [MESSAGE, SEED, CONTENT_KEY])
    expect(Object.keys(opened).sort()).toEqual(["id", "issuedAt", "kid", "session", "signer"])
    expect(format("%o %O %j", opened, opened, opened)).not.toContain(MESSAGE)
  })

  test("nothing in a sealed request but its envelope", async () => {
    const request = await sealRequest(MESSAGE, { to: reader.key.publicKey })
    expectNoSecret(request, [MESSAGE])
    expect(Object.keys(request)).toEqual(["envelope", "openReply"])
  })

  test("nothing private in any key, pair or ring", async () => {
    const extractable = { backend, extractable: true }
    const keys = [
      await importPrivateKey(knownAnswers.recipient, { backend }),
      await importPrivateKey(knownAnswers.recipient, extractable),
      await importSigningKey(knownAnswers.signer, extractable),
      await importSigningKey(knownAnswers.signer_es256, extractable),
    ]
    for (const key of keys) expectNoSecret(key, privateMembers)
    expectNoSecret(createKeyRing([keys[0] as Reader["key"]]), privateMembers)
    const pairs = [
      await generateKeyPair({ ...extractable, modulusBits: 2048 }),
      await generateSigningKeyPair(extractable),
    ]
    for (const pair of pairs)
      expect(format("%o", pair)).not.toMatch(/"?\bd"?:|KeyObject|CryptoKey|Uint8Array/)
  })

  test("nothing in guards and stores", async () => {
    const store = memoryStore()
    const spy = spyStore()
    const replay = guardOver(spy)
    const { id } = await openNow(reader, forge({ seed: Buffer.alloc(32, 1) }), { replay })
    for (const value of [store, replay]) expectNoSecret(value, [SEED, MESSAGE, id])
  })

  test("nothing in the error of a private key that is refused", async () => {
    const { recipient, signer } = knownAnswers
    for (const wrong of [
      { ...recipient, alg: "RSA-OAEP" },
      { ...recipient, n: knownAnswers.recipient_3072["n"] },
      { ...recipient, n: knownAnswers.recipient["p"] },
      { ...recipient, d: undefined },
      { ...recipient, p: "", q: "" },
      { ...recipient, qi: `${String(recipient["qi"])}=` },
    ]) {
      expectNoSecret(await errorOf(importPrivateKey(wrong, { backend })), privateMembers)
    }
    expectNoSecret(await errorOf(importSigningKey({ ...signer, x: "AA" }, { backend })), privateMembers)
    const pem = Buffer.from(privateMembers[0] as Buffer).toString("base64")
    const text = `-----BEGIN PRIVATE KEY-----\n${pem}\n-----END PRIVATE KEY-----\n`
    expectNoSecret(await errorOf(importPrivateKey(text, { backend })), privateMembers)
  })

  test("nothing in the error of a message that is not what was asked for", async () => {
    const notJson = await openNow(reader, forge())
    expectNoSecret(await errorOf((async () => notJson.json())()), [MESSAGE])
    const notText = await openNow(reader, forge({ message: Buffer.alloc(40, 0xff) }))
    expectNoSecret(await errorOf((async () => notText.text())()), [Buffer.alloc(40, 0xff)])
  })

  test("nothing in the errors of wrong arguments", async () => {
    const secret = "a password that was passed in the wrong place"
    for (const mistake of [
      seal({ secret } as never, { to: reader.key.publicKey }),
      seal(`${secret}\ud800`, { to: reader.key.publicKey }),
      seal(secret, { to: secret as never }),
      seal(secret, { to: publicJwk(knownAnswers.recipient) as never }),
      seal(secret, { to: reader.key.publicKey, context: [secret] as never }),
      seal(secret, { to: reader.key.publicKey, signWith: knownAnswers.signer as never }),
      seal(secret, { to: reader.key.publicKey, maxMessageBytes: 5 }),
      openNow(reader, forge(), { with: knownAnswers.recipient as never }),
      openNow(reader, forge(), { replay: secret as never }),
      openNow(reader, forge(), { signedBy: secret as never }),
    ]) {
      expectNoSecret(await errorOf(mistake), [secret, ...privateMembers])
    }
  })

  test("gives a message that shares no memory with the seed or the digest in the plaintext", () => {
    const { message } = opened
    const around = Buffer.from(message.buffer)
    expect(Buffer.from(message).toString()).toBe(MESSAGE)
    for (const secret of [SEED, CONTENT_KEY]) expect(around.includes(secret)).toBe(false)
    expect(around.subarray(0, message.byteOffset).every((byte) => byte === 0)).toBe(true)
  })
})
