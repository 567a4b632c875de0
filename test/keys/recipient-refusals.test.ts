import { generateKeyPairSync } from "node:crypto"

import { describe, expect, test } from "vitest"

import type { Jwk } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { cryptoKeyOf, derOf, type Form, FORMS, generateRsa, inForm } from "../support/key-forms.ts"
import { thumbprintOf } from "../support/forge.ts"
import { errorOf } from "../support/reader.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const recipient = knownAnswers.recipient
const publicRecipient = publicJwk(recipient)
const modulus = Buffer.from(String(recipient["n"]), "base64url")
const b64u = (...bytes: Uint8Array[]): string => Buffer.concat(bytes).toString("base64url")

const SIZE = "exactly 2048, 3072 or 4096 bits"
const EXPONENT = "the public exponent must be 65537"

/** Keys of a wrong size or exponent, with both parts. */
const WRONG_PAIRS: [name: string, jwk: Jwk, reason: string][] = [
  ["of 1024 bits", generateRsa(1024), SIZE],
  ["of 2047 bits", generateRsa(2047), SIZE],
  ["of 2052 bits", generateRsa(2052), SIZE],
  ["whose exponent is 3", generateRsa(2048, 3), EXPONENT],
]

/** Public parts of which no private part is needed to be wrong. */
const WRONG_PUBLIC: [name: string, jwk: Jwk, reason: string][] = [
  ["whose exponent is 1", { ...publicRecipient, e: "AQ" }, EXPONENT],
  ["whose exponent is 2", { ...publicRecipient, e: "Ag" }, EXPONENT],
  ["whose exponent is 65536", { ...publicRecipient, e: "AQAA" }, EXPONENT],
  ["whose exponent is 2^32 + 1", { ...publicRecipient, e: "AQAAAAE" }, EXPONENT],
  [
    "whose modulus is even",
    { ...publicRecipient, n: b64u(modulus.subarray(0, -1), Buffer.of(2)) },
    "the modulus is even",
  ],
  ["of 2040 bits", { ...publicRecipient, n: b64u(modulus.subarray(0, 255)) }, SIZE],
]

const refusal = (reason: string): object => ({
  name: "SealwireError",
  code: "ERR_KEY",
  message: expect.stringContaining(reason) as string,
})

const perForm = <Row extends unknown[]>(rows: Row[]): [Form, ...Row][] =>
  FORMS.flatMap((form) => rows.map((row) => [form, ...row] as [Form, ...Row]))

describe.each([node, web])("recipient keys that are refused on the $name backend", (backend) => {
  test.each(perForm(WRONG_PAIRS))("refuses a private key, as %s, %s", async (form, _, jwk, reason) => {
    expect(await errorOf(importPrivateKey(await inForm(jwk, form), { backend }))).toMatchObject(
      refusal(reason),
    )
  })

  test.each(perForm(WRONG_PAIRS))("refuses a public key, as %s, %s", async (form, _, jwk, reason) => {
    const source = await inForm(publicJwk(jwk), form)
    expect(await errorOf(importPublicKey(source, { backend }))).toMatchObject(refusal(reason))
  })

  test.each(perForm(WRONG_PUBLIC))("refuses a public key, as %s, %s", async (form, _, jwk, reason) => {
    // where the platform itself does not make a CryptoKey of it, there is nothing to refuse
    const source = await inForm(jwk, form).catch(() => jwk)
    expect(await errorOf(importPublicKey(source, { backend }))).toMatchObject(refusal(reason))
  })

  test.each<[name: string, members: object, reason: string]>([
    ["a modulus with a leading zero byte", { n: b64u(Buffer.of(0), modulus) }, "leading zero byte"],
    [
      "a modulus of 2048 bits with a leading zero byte",
      { n: b64u(Buffer.of(0), modulus.subarray(1)) },
      "leading zero byte",
    ],
    ["a modulus whose highest bit is not set", { n: b64u(Buffer.of(0x7f), modulus.subarray(1)) }, SIZE],
    ["a modulus with padding", { n: `${String(recipient["n"])}=` }, 'member "n" is not canonical base64url'],
    [
      "a modulus in base64",
      { n: Buffer.alloc(256, 0xff).toString("base64") },
      'member "n" is not canonical base64url',
    ],
    [
      "a modulus with a line feed",
      { n: `${String(recipient["n"])}\n` },
      'member "n" is not canonical base64url',
    ],
    [
      "a modulus with unused bits set",
      { n: String(recipient["n"]).replace(/.$/, "_") },
      'member "n" is not canonical base64url',
    ],
    ["no modulus", { n: undefined }, 'member "n" must be a string, not undefined'],
    ["an empty modulus", { n: "" }, SIZE],
    ["a modulus that is a number", { n: 7 }, 'member "n" must be a string, not a number'],
    ["a modulus that is an array", { n: [recipient["n"]] }, 'member "n" must be a string, not an array'],
    ["no exponent", { e: undefined }, EXPONENT],
    ["an exponent with a leading zero byte", { e: "AAEAAQ" }, EXPONENT],
    ["an exponent that is a number", { e: 65_537 }, EXPONENT],
    ["alg RSA-OAEP", { alg: "RSA-OAEP" }, '"alg" must be RSA-OAEP-256'],
    ["alg RSA1_5", { alg: "RSA1_5" }, '"alg" must be RSA-OAEP-256'],
    ["alg RS256", { alg: "RS256" }, '"alg" must be RSA-OAEP-256'],
    ["alg null", { alg: null }, '"alg" must be RSA-OAEP-256'],
    ["alg as an array", { alg: ["RSA-OAEP-256"] }, '"alg" must be RSA-OAEP-256'],
    ["use sig", { use: "sig" }, '"use" must be "enc"'],
    ["use empty", { use: "" }, '"use" must be "enc"'],
    ["key_ops empty", { key_ops: [] }, '"key_ops" must name'],
    ["key_ops as text", { key_ops: "encrypt decrypt" }, '"key_ops" must name'],
    ["key_ops for signatures", { key_ops: ["sign", "verify"] }, '"key_ops" must name'],
    ["a kid that is a name", { kid: "my-key" }, '"kid" must be the RFC 7638 thumbprint'],
    ["a kid that is empty", { kid: "" }, '"kid" must be the RFC 7638 thumbprint'],
    ["a kid that is null", { kid: null }, '"kid" must be the RFC 7638 thumbprint'],
    [
      "the kid of another key",
      { kid: thumbprintOf(knownAnswers.recipient_3072) },
      '"kid" must be the RFC 7638 thumbprint',
    ],
    ["kty EC", { kty: "EC" }, '"kty" must be "RSA"'],
    ["kty in lower case", { kty: "rsa" }, '"kty" must be "RSA"'],
    ["no kty", { kty: undefined }, '"kty" must be "RSA"'],
    ["kty as an array", { kty: ["RSA"] }, '"kty" must be "RSA"'],
  ])("refuses a JWK, public and private, with %s", async (_, members, reason) => {
    const publicKey = { ...publicRecipient, ...members }
    expect(await errorOf(importPublicKey(publicKey, { backend }))).toMatchObject(refusal(reason))
    const privateKey = { ...recipient, ...members }
    expect(await errorOf(importPrivateKey(privateKey, { backend }))).toMatchObject(refusal(reason))
  })

  test.each([
    [["decrypt"], importPublicKey, publicRecipient],
    [["unwrapKey", "decrypt"], importPublicKey, publicRecipient],
    [["encrypt"], importPrivateKey, recipient],
    [["wrapKey", "encrypt"], importPrivateKey, recipient],
  ])("refuses key_ops %j, which are the other part's", async (operations, importKey, jwk) => {
    const wrong = { ...jwk, key_ops: operations } as Jwk
    expect(await errorOf(importKey(wrong, { backend }))).toMatchObject(refusal('"key_ops" must name'))
  })

  test.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k"])(
    "refuses a public key with the private member %s",
    async (member) => {
      for (const value of [recipient["d"], "", null, undefined]) {
        const leaking = { ...publicRecipient, [member]: value }
        const error = await errorOf(importPublicKey(leaking, { backend }))
        expect(error).toMatchObject(refusal("a private key came where a public key is expected"))
      }
    },
  )

  test.each(["d", "p", "q", "dp", "dq", "qi"])(
    "refuses a private key without a right member %s",
    async (member) => {
      const { [member]: _, ...without } = recipient
      const importing = async (jwk: object): Promise<unknown> =>
        errorOf(importPrivateKey(jwk as Jwk, { backend }))
      expect(await importing(without)).toMatchObject(refusal(`private member "${member}" is missing`))
      expect(await importing({ ...recipient, [member]: 5 })).toMatchObject(
        refusal(`member "${member}" must be a string`),
      )
      expect(await importing({ ...recipient, [member]: "A=" })).toMatchObject(
        refusal(`member "${member}" is not canonical`),
      )
    },
  )

  test("refuses a private key of more than two primes", async () => {
    const error = await errorOf(importPrivateKey({ ...recipient, oth: [] }, { backend }))
    expect(error).toMatchObject(refusal("more than two primes"))
  })

  test("refuses the private part of one key with the public part of another", async () => {
    const other = generateRsa(2048)
    const mixed = { ...recipient, n: other["n"] }
    expect(await errorOf(importPrivateKey(mixed as Jwk, { backend }))).toMatchObject(
      refusal("does not work with its public part"),
    )
    const zero = { ...recipient, d: "AA", p: "AA", q: "AA", dp: "AA", dq: "AA", qi: "AA" }
    expect(await errorOf(importPrivateKey(zero, { backend }))).toMatchObject({ code: "ERR_KEY" })
  })

  test.each(FORMS)(
    "refuses a private key where a public one is expected, and the reverse, as %s",
    async (form) => {
      expect(await errorOf(importPublicKey(await inForm(recipient, form), { backend }))).toMatchObject({
        code: "ERR_KEY",
      })
      expect(await errorOf(importPrivateKey(await inForm(publicRecipient, form), { backend }))).toMatchObject(
        { code: "ERR_KEY" },
      )
    },
  )

  test.each(FORMS)("refuses a signing key in place of a recipient key, as %s", async (form) => {
    for (const signer of [knownAnswers.signer, knownAnswers.signer_es256]) {
      const [privateSource, publicSource] = await Promise.all([
        inForm(signer, form),
        inForm(publicJwk(signer), form),
      ])
      expect(await errorOf(importPrivateKey(privateSource, { backend }))).toMatchObject({ code: "ERR_KEY" })
      expect(await errorOf(importPublicKey(publicSource, { backend }))).toMatchObject({ code: "ERR_KEY" })
    }
  })

  test.each([
    ["an RSA-PSS key", () => generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey],
    ["an X25519 key", () => generateKeyPairSync("x25519").publicKey],
    ["an Ed448 key", () => generateKeyPairSync("ed448").publicKey],
    ["a P-384 key", () => generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey],
  ])("refuses the SPKI of %s", async (_, generate) => {
    const der = generate().export({ type: "spki", format: "der" })
    expect(await errorOf(importPublicKey(new Uint8Array(der), { backend }))).toMatchObject({
      code: "ERR_KEY",
    })
  })

  test.each<[name: string, change: (der: Buffer) => Uint8Array]>([
    ["no bytes", () => new Uint8Array(0)],
    ["one byte", () => Buffer.of(0x30)],
    ["an empty sequence", () => Buffer.of(0x30, 0)],
    ["zeros", () => new Uint8Array(300)],
    ["a last byte cut off", (der) => der.subarray(0, -1)],
    ["a first byte cut off", (der) => der.subarray(1)],
    ["a byte behind it", (der) => Buffer.concat([der, Buffer.of(0)])],
    ["itself behind it", (der) => Buffer.concat([der, der])],
    [
      "an indefinite length",
      (der) => Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)]),
    ],
    [
      "a length of more bytes than it needs",
      (der) => Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)]),
    ],
    [
      "another algorithm's identifier",
      (der) => Buffer.from(der.toString("hex").replace("2a864886f70d010101", "2a864886f70d010102"), "hex"),
    ],
    ["text", () => Buffer.from("-----BEGIN PUBLIC KEY-----")],
  ])("refuses DER with %s", async (_, change) => {
    expect(await errorOf(importPublicKey(change(derOf(publicRecipient)), { backend }))).toMatchObject({
      code: "ERR_KEY",
    })
    expect(await errorOf(importPrivateKey(change(derOf(recipient)), { backend }))).toMatchObject({
      code: "ERR_KEY",
    })
  })

  test("refuses a CryptoKey of RSA-OAEP with SHA-1, and of RSA signatures", async () => {
    for (const [algorithm, usages] of [
      [{ name: "RSA-OAEP", hash: "SHA-1" }, ["decrypt"]],
      [{ name: "RSA-OAEP", hash: "SHA-512" }, ["decrypt"]],
      [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, ["sign"]],
      [{ name: "RSA-PSS", hash: "SHA-256" }, ["sign"]],
    ] as [object, KeyUsage[]][]) {
      const source = await cryptoKeyOf(recipient, true, algorithm, usages)
      expect(await errorOf(importPrivateKey(source, { backend }))).toMatchObject(
        refusal('"alg" must be RSA-OAEP-256'),
      )
    }
  })

  test("refuses a CryptoKey that may not do what it is for", async () => {
    const source = await cryptoKeyOf(publicRecipient, true, undefined, [])
    expect(await errorOf(importPublicKey(source, { backend }))).toMatchObject(refusal('"key_ops" must name'))
  })

  test("refuses a CryptoKey that is not extractable, and says what to pass instead", async () => {
    const source = await cryptoKeyOf(recipient, false)
    expect(await errorOf(importPrivateKey(source, { backend }))).toMatchObject(
      refusal("pass { publicKey, privateKey }"),
    )
  })

  test("refuses a CryptoKey of a symmetric key", async () => {
    const source = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"])
    expect(await errorOf(importPublicKey(source, { backend }))).toMatchObject({ code: "ERR_KEY" })
  })

  test.each<[name: string, pair: () => Promise<object>]>([
    [
      "of two keys",
      async () => ({
        publicKey: await cryptoKeyOf(publicJwk(generateRsa(2048))),
        privateKey: await cryptoKeyOf(recipient, false),
      }),
    ],
    [
      "of the public key twice",
      async () => {
        const publicKey = await cryptoKeyOf(publicRecipient)
        return { publicKey, privateKey: publicKey }
      },
    ],
    [
      "whose private key is of OAEP with SHA-1",
      async () => ({
        publicKey: await cryptoKeyOf(publicRecipient),
        privateKey: await cryptoKeyOf(recipient, false, { name: "RSA-OAEP", hash: "SHA-1" }),
      }),
    ],
    [
      "whose private key may only unwrap",
      async () => ({
        publicKey: await cryptoKeyOf(publicRecipient),
        privateKey: await cryptoKeyOf(recipient, false, undefined, ["unwrapKey"]),
      }),
    ],
    [
      "whose public key is of 1024 bits",
      async () => {
        const small = generateRsa(1024)
        return { publicKey: await cryptoKeyOf(publicJwk(small)), privateKey: await cryptoKeyOf(small, false) }
      },
    ],
  ])("refuses a pair of CryptoKeys %s", async (_, pair) => {
    expect(await errorOf(importPrivateKey((await pair()) as CryptoKeyPair, { backend }))).toMatchObject({
      code: "ERR_KEY",
    })
  })

  test.each<[name: string, source: unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a number", 5],
    ["a symbol", Symbol("key")],
    ["a pair of JWKs", { publicKey: publicRecipient, privateKey: recipient }],
    ["a pair without a public key", { privateKey: recipient }],
  ])("throws a TypeError that names the argument for %s", async (_, source) => {
    const error = await errorOf(importPrivateKey(source as Jwk, { backend }))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/^source must be /)
  })

  test("throws a TypeError for an option that there is not", async () => {
    for (const importing of [
      importPublicKey(publicRecipient, { backend, extractable: true } as never),
      importPrivateKey(recipient, { backend, kid: "x" } as never),
    ]) {
      expect(await errorOf(importing)).toBeInstanceOf(TypeError)
    }
  })
})
