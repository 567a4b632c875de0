import { generateKeyPairSync } from "node:crypto"

import { describe, expect, test } from "vitest"

import type { Jwk } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import { exportCryptoKey, exportPem } from "../../src/keys/export.ts"
import { exportJwk } from "../../src/keys/export-jwk.ts"
import type { Key, PrivateKey } from "../../src/keys/key.ts"
import { generateKeyPair, importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { generateSigningKeyPair, importSigningKey } from "../../src/keys/signer.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { thumbprintOf } from "../support/forge.ts"
import { cryptoKeyOf, type Form, FORMS, generateRsa, inForm, pemOf } from "../support/key-forms.ts"
import { errorOf } from "../support/reader.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const RECIPIENTS: [modulusBits: number, jwk: Jwk][] = [
  [2048, knownAnswers.recipient],
  [3072, knownAnswers.recipient_3072],
]
const perForm = FORMS.flatMap((form) =>
  RECIPIENTS.map(([bits, jwk]) => [bits, form, jwk] as [number, Form, Jwk]),
)

/** Proves that a private key opens what is sealed to its public part. */
async function expectToWork(key: PrivateKey): Promise<void> {
  const envelope = await seal("through", { to: key.publicKey })
  const opened = await open(envelope, { with: key, replay: dangerouslyAcceptReplays })
  expect(opened.text()).toBe("through")
}

const algorithmOf = ({ algorithm }: { algorithm: object }): object => algorithm

describe.each([node, web])("recipient keys on the $name backend", (backend) => {
  test.each(perForm)(
    "imports %i bits from %s, both parts, under its thumbprint",
    async (modulusBits, form, jwk) => {
      const kid = thumbprintOf(jwk)
      const publicKey = await importPublicKey(await inForm(publicJwk(jwk), form), { backend })
      const privateKey = await importPrivateKey(await inForm(jwk, form), { backend })
      expect(publicKey).toEqual({ type: "public", kid, modulusBits })
      expect(privateKey).toEqual({ type: "private", kid, modulusBits, publicKey })
      for (const key of [publicKey, privateKey]) expect(Object.isFrozen(key)).toBe(true)
      await expectToWork(privateKey)
    },
  )

  test("imports 4096 bits", async () => {
    const jwk = generateRsa(4096)
    const key = await importPrivateKey(jwk, { backend })
    expect(key.modulusBits).toBe(4096)
    await expectToWork(key)
  })

  test("imports a JWK that declares itself rightly, with members that nobody asked for", async () => {
    const jwk = knownAnswers.recipient
    const declared = {
      alg: "RSA-OAEP-256",
      use: "enc",
      kid: thumbprintOf(jwk),
      ext: true,
      x5c: ["AA"],
      __proto__: null,
    }
    await expect(
      importPublicKey({ ...publicJwk(jwk), ...declared, key_ops: ["wrapKey"] }, { backend }),
    ).resolves.toBeDefined()
    await expect(
      importPrivateKey({ ...jwk, ...declared, key_ops: ["decrypt"] }, { backend }),
    ).resolves.toBeDefined()
  })

  test("imports a pair of CryptoKeys whose private key stays where it is", async () => {
    const jwk = knownAnswers.recipient
    const pair = { publicKey: await cryptoKeyOf(publicJwk(jwk)), privateKey: await cryptoKeyOf(jwk, false) }
    const key = await importPrivateKey(pair, { backend })
    expect(key.kid).toBe(thumbprintOf(jwk))
    await expectToWork(key)
    expect(await exportCryptoKey(key)).toBe(pair.privateKey)
    expect(await errorOf(exportJwk(key))).toMatchObject({ code: "ERR_KEY" })
  })

  test("imports PEM with Windows lines, and white space around", async () => {
    const pem = pemOf(publicJwk(knownAnswers.recipient))
    for (const text of [pem.replaceAll("\n", "\r\n"), `\n  ${pem}\n\n`, pem.trimEnd()]) {
      expect((await importPublicKey(text, { backend })).modulusBits).toBe(2048)
    }
  })

  test("takes each member of a JWK once, and keeps nothing of the caller's bytes", async () => {
    const der = new Uint8Array((await inForm(knownAnswers.recipient, "DER")) as Uint8Array)
    const before = der.slice()
    const importing = importPrivateKey(der, { backend })
    der.fill(0)
    await expectToWork(await importing)
    expect(before).not.toEqual(der)
    const reads = new Map<string, number>()
    const watched = new Proxy(publicJwk(knownAnswers.recipient), {
      get(target, member, receiver): unknown {
        reads.set(String(member), (reads.get(String(member)) ?? 0) + 1)
        return Reflect.get(target, member, receiver)
      },
    })
    await importPublicKey(watched, { backend })
    for (const member of ["n", "e", "kty"]) expect(reads.get(member)).toBe(1)
  })

  test("generates 3072 bits unless told otherwise, and no other size than three", async () => {
    const { publicKey, privateKey } = await generateKeyPair({ backend })
    expect(privateKey.modulusBits).toBe(3072)
    expect(privateKey.publicKey).toBe(publicKey)
    await expectToWork(privateKey)
    for (const modulusBits of [0, 1024, 2047, 2049, 8192, NaN, "2048", null]) {
      expect(await errorOf(generateKeyPair({ backend, modulusBits: modulusBits as 2048 }))).toBeInstanceOf(
        RangeError,
      )
    }
  })

  test.each(FORMS)("exports what it imported, as %s", async (form) => {
    const jwk = knownAnswers.recipient
    const key = await importPrivateKey(await inForm(jwk, form), { backend, extractable: true })
    const declared = { alg: "RSA-OAEP-256", use: "enc", kid: key.kid }
    expect(await exportJwk(key)).toEqual({ ...jwk, ...declared })
    expect(await exportJwk(key.publicKey)).toEqual({ ...publicJwk(jwk), ...declared })
    expect(await exportPem(key)).toBe(pemOf(jwk))
    expect(await exportPem(key.publicKey)).toBe(pemOf(publicJwk(jwk)))
    const exported = (await exportCryptoKey(key)) as CryptoKey
    expect(exported).toMatchObject({ type: "private", extractable: true, usages: ["decrypt"] })
    expect(algorithmOf(exported)).toMatchObject({
      name: "RSA-OAEP",
      hash: { name: "SHA-256" },
      modulusLength: 2048,
    })
    expect(await exportCryptoKey(key.publicKey)).toMatchObject({ type: "public", usages: ["encrypt"] })
  })

  test.each([knownAnswers.signer, knownAnswers.signer_es256])(
    "exports a signing key in $kty",
    async (jwk) => {
      const key = await importSigningKey(jwk, { backend, extractable: true })
      const declared = { alg: key.algorithm, use: "sig", kid: key.kid }
      expect(await exportJwk(key)).toEqual({ ...jwk, ...declared })
      expect(await exportJwk(key.verifyingKey)).toEqual({ ...publicJwk(jwk), ...declared })
      expect(await exportPem(key.verifyingKey)).toBe(pemOf(publicJwk(jwk)))
      const again = await importSigningKey(await exportPem(key), { backend })
      expect(again.kid).toBe(key.kid)
      expect(await exportCryptoKey(key)).toMatchObject({
        type: "private",
        extractable: true,
        usages: ["sign"],
      })
      expect(await exportCryptoKey(key.verifyingKey)).toMatchObject({ type: "public", usages: ["verify"] })
    },
  )

  test("imports again what it exported, in every form", async () => {
    const { privateKey } = await generateKeyPair({ backend, modulusBits: 2048, extractable: true })
    for (const source of [
      await exportJwk(privateKey),
      await exportPem(privateKey),
      await exportCryptoKey(privateKey),
    ]) {
      const again = await importPrivateKey(source, { backend })
      expect(again.kid).toBe(privateKey.kid)
      await expectToWork(again)
    }
  })

  test("exports no private key that is not extractable, in no form", async () => {
    const recipient = await importPrivateKey(knownAnswers.recipient, { backend })
    const generated = await generateKeyPair({ backend, modulusBits: 2048 })
    const { signingKey } = await generateSigningKeyPair({ backend })
    for (const key of [recipient, generated.privateKey, signingKey] as Key[]) {
      for (const exporting of [exportJwk(key), exportPem(key)]) {
        expect(await errorOf(exporting)).toMatchObject({
          code: "ERR_KEY",
          message: expect.stringContaining("not extractable") as string,
        })
      }
      const cryptoKey = (await exportCryptoKey(key)) as CryptoKey
      expect(cryptoKey.extractable).toBe(false)
      for (const format of ["jwk", "pkcs8"] as const) {
        await expect(crypto.subtle.exportKey(format as "jwk", cryptoKey)).rejects.toThrow()
      }
    }
    await expect(exportJwk(recipient.publicKey)).resolves.toBeDefined()
  })

  test("exports nothing that is not a key of this library", async () => {
    for (const key of [
      null,
      undefined,
      {},
      { type: "private", kid: "x" },
      knownAnswers.recipient,
      generateKeyPairSync("ed25519").privateKey,
    ]) {
      for (const exporting of [exportJwk, exportPem, exportCryptoKey]) {
        expect(await errorOf(exporting(key as Key))).toBeInstanceOf(TypeError)
      }
    }
  })
})

describe("keys behind an unwrap hook", () => {
  test("open and answer, and cannot be exported", async () => {
    const native = await importPrivateKey(knownAnswers.recipient, { extractable: true })
    const cryptoKey = (await exportCryptoKey(native)) as CryptoKey
    const key = await importPrivateKey({
      publicKey: native.publicKey,
      unwrap: async (encryptedKey) =>
        new Uint8Array(await crypto.subtle.decrypt("RSA-OAEP", cryptoKey, encryptedKey as BufferSource)),
    })
    expect(key).toEqual(native)
    await expectToWork(key)
    expect(await errorOf(exportJwk(key))).toMatchObject({ code: "ERR_KEY" })
    expect(await errorOf(exportPem(key))).toMatchObject({ code: "ERR_KEY" })
    expect(await errorOf(exportCryptoKey(key))).toMatchObject({ code: "ERR_UNSUPPORTED" })
  })

  test("are asked with bytes of their own, as many as the modulus has", async () => {
    const { publicKey } = await importPrivateKey(knownAnswers.recipient)
    const asked: Uint8Array[] = []
    const key = await importPrivateKey({
      publicKey,
      unwrap: (encryptedKey) => {
        asked.push(encryptedKey)
        return new Uint8Array(32)
      },
    })
    const envelope = await seal("x", { to: publicKey })
    await errorOf(open(envelope, { with: key, replay: dangerouslyAcceptReplays }))
    expect(asked).toHaveLength(1)
    expect(asked[0]?.buffer.byteLength).toBe(256)
    expect(Buffer.from(asked[0] ?? []).toString("base64url")).toBe(envelope.split(".")[1])
  })

  test.each<[name: string, hook: object]>([
    ["without a public key", { unwrap: () => new Uint8Array(32) }],
    [
      "with a JWK for a public key",
      { unwrap: () => new Uint8Array(32), publicKey: publicJwk(knownAnswers.recipient) },
    ],
    ["whose unwrap is no function", { unwrap: "arn:aws:kms:key" }],
  ])("are refused %s", async (_, hook) => {
    const publicKey = await importPublicKey(publicJwk(knownAnswers.recipient))
    const source =
      "publicKey" in hook || typeof (hook as { unwrap: unknown }).unwrap === "function"
        ? hook
        : { ...hook, publicKey }
    const error = await errorOf(importPrivateKey(source as never))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/^source\.(publicKey|unwrap) must be /)
  })
})
