import { generateKeyPairSync } from "node:crypto"

import { describe, expect, test } from "vitest"

import type { Jwk } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { generateSigningKeyPair, importSigningKey, importVerifyingKey } from "../../src/keys/signer.ts"
import { thumbprintOf } from "../support/forge.ts"
import { cryptoKeyOf, FORMS, inForm } from "../support/key-forms.ts"
import { errorOf } from "../support/reader.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const ed25519 = knownAnswers.signer
const p256 = knownAnswers.signer_es256
const ALGORITHMS: [algorithm: "Ed25519" | "ES256", jwk: Jwk, other: Jwk][] = [
  ["Ed25519", ed25519, p256],
  ["ES256", p256, ed25519],
]
const perForm = FORMS.flatMap((form) => ALGORITHMS.map(([algorithm, jwk]) => [algorithm, form, jwk] as const))

const refusal = (reason: string): object => ({
  name: "SealwireError",
  code: "ERR_KEY",
  message: expect.stringContaining(reason) as string,
})

describe.each([node, web])("signing keys on the $name backend", (backend) => {
  test.each(perForm)("imports %s from %s, both parts, under its thumbprint", async (algorithm, form, jwk) => {
    const signing = await importSigningKey(await inForm(jwk, form), { backend })
    const verifying = await importVerifyingKey(await inForm(publicJwk(jwk), form), { backend })
    expect(signing).toEqual({ type: "signing", kid: thumbprintOf(jwk), algorithm, verifyingKey: verifying })
    expect(verifying).toEqual({ type: "verifying", kid: thumbprintOf(jwk), algorithm })
    for (const key of [signing, verifying]) expect(Object.isFrozen(key)).toBe(true)
  })

  test.each(ALGORITHMS)(
    "imports a pair of CryptoKeys of %s whose private key stays where it is",
    async (algorithm, jwk) => {
      const pair = { publicKey: await cryptoKeyOf(publicJwk(jwk)), privateKey: await cryptoKeyOf(jwk, false) }
      expect(await importSigningKey(pair, { backend })).toMatchObject({ kid: thumbprintOf(jwk), algorithm })
    },
  )

  test.each(["Ed25519", "ES256"] as const)("generates %s", async (algorithm) => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair({ backend, algorithm })
    expect(signingKey.verifyingKey).toBe(verifyingKey)
    expect(verifyingKey).toEqual({ type: "verifying", kid: signingKey.kid, algorithm })
    expect(signingKey.kid).toMatch(/^[\w-]{43}$/)
  })

  test("generates Ed25519 unless told otherwise, and nothing else but P-256", async () => {
    expect((await generateSigningKeyPair({ backend })).signingKey.algorithm).toBe("Ed25519")
    for (const algorithm of ["EdDSA", "RS256", "HS256", "none", "", null]) {
      expect(
        await errorOf(generateSigningKeyPair({ backend, algorithm: algorithm as "ES256" })),
      ).toBeInstanceOf(RangeError)
    }
  })

  test.each([
    ["Ed25519", ed25519, "EdDSA"],
    ["Ed25519", ed25519, "Ed25519"],
    ["ES256", p256, "ES256"],
  ])("imports a JWK of %s that says alg %s", async (_, jwk, alg) => {
    const declared = { alg, use: "sig", kid: thumbprintOf(jwk) }
    const operations = { key_ops: ["verify"], ext: true }
    await expect(
      importVerifyingKey({ ...publicJwk(jwk), ...declared, ...operations }, { backend }),
    ).resolves.toBeDefined()
    await expect(
      importSigningKey({ ...jwk, ...declared, key_ops: ["sign"] }, { backend }),
    ).resolves.toBeDefined()
  })

  test.each<[name: string, jwk: Jwk, members: object, reason: string]>([
    ["alg ES256 on Ed25519", ed25519, { alg: "ES256" }, '"alg" must be Ed25519 or EdDSA'],
    ["alg Ed448 on Ed25519", ed25519, { alg: "Ed448" }, '"alg" must be Ed25519 or EdDSA'],
    ["alg none on Ed25519", ed25519, { alg: "none" }, '"alg" must be Ed25519 or EdDSA'],
    ["alg EdDSA on P-256", p256, { alg: "EdDSA" }, '"alg" must be ES256'],
    ["alg HS256 on P-256", p256, { alg: "HS256" }, '"alg" must be ES256'],
    ["alg ES384 on P-256", p256, { alg: "ES384" }, '"alg" must be ES256'],
    ["use enc", ed25519, { use: "enc" }, '"use" must be "sig"'],
    ["key_ops for encryption", p256, { key_ops: ["encrypt", "decrypt"] }, '"key_ops" must name'],
    ["key_ops empty", ed25519, { key_ops: [] }, '"key_ops" must name'],
    ["another kid", ed25519, { kid: thumbprintOf(p256) }, '"kid" must be the RFC 7638 thumbprint'],
    ["crv Ed448", ed25519, { crv: "Ed448" }, "must be Ed25519 or P-256"],
    ["crv X25519", ed25519, { crv: "X25519" }, "must be Ed25519 or P-256"],
    ["crv P-384", p256, { crv: "P-384" }, "must be Ed25519 or P-256"],
    ["crv secp256k1", p256, { crv: "secp256k1" }, "must be Ed25519 or P-256"],
    ["crv P-256 on OKP", ed25519, { crv: "P-256" }, "must be Ed25519 or P-256"],
    ["crv Ed25519 on EC", p256, { crv: "Ed25519" }, "must be Ed25519 or P-256"],
    ["no crv", p256, { crv: undefined }, "must be Ed25519 or P-256"],
    ["kty RSA", p256, { kty: "RSA" }, "must be Ed25519 or P-256"],
    ["kty oct", ed25519, { kty: "oct" }, "must be Ed25519 or P-256"],
    ["an x of 31 bytes", ed25519, { x: "A".repeat(42) }, 'member "x" must be 32 bytes'],
    ["an x of 33 bytes", ed25519, { x: "A".repeat(44) }, 'member "x" must be 32 bytes'],
    ["an x with unused bits set", ed25519, { x: `${"A".repeat(42)}B` }, 'member "x" is not canonical'],
    ["no x", ed25519, { x: undefined }, 'member "x" must be a string'],
    ["no y", p256, { y: undefined }, 'member "y" must be a string'],
    ["a y of 31 bytes", p256, { y: "A".repeat(42) }, 'member "y" must be 32 bytes'],
    ["a point that is not on the curve", p256, { x: p256["y"] }, "do not make a key"],
    ["a point at zero", p256, { x: "A".repeat(43), y: "A".repeat(43) }, "do not make a key"],
    [
      "coordinates above the field's prime",
      p256,
      { x: "_".repeat(42) + "8", y: "_".repeat(42) + "8" },
      "do not make a key",
    ],
  ])("refuses a JWK, public and private, with %s", async (_, jwk, members, reason) => {
    expect(await errorOf(importVerifyingKey({ ...publicJwk(jwk), ...members }, { backend }))).toMatchObject(
      refusal(reason),
    )
    expect(await errorOf(importSigningKey({ ...jwk, ...members }, { backend }))).toMatchObject(
      refusal(reason),
    )
  })

  test.each<[name: string, jwk: Jwk, d: unknown]>([
    ["is missing on Ed25519", ed25519, undefined],
    ["is of 31 bytes on Ed25519", ed25519, "A".repeat(42)],
    ["is of 64 bytes on Ed25519", ed25519, "A".repeat(86)],
    ["is another's on Ed25519", ed25519, "A".repeat(43)],
    ["is zero on P-256", p256, "A".repeat(43)],
    ["is above the order on P-256", p256, `${"_".repeat(42)}8`],
    ["is another's on P-256", p256, ed25519["d"]],
    ["is of 33 bytes on P-256", p256, "A".repeat(44)],
    ["is a number on P-256", p256, 5],
  ])("refuses a signing key whose d %s", async (_, jwk, d) => {
    expect(await errorOf(importSigningKey({ ...jwk, d }, { backend }))).toMatchObject({ code: "ERR_KEY" })
  })

  test.each(ALGORITHMS)(
    "refuses a private key of %s where a verifying key is expected, and the reverse",
    async (_, jwk) => {
      for (const form of FORMS) {
        expect(await errorOf(importVerifyingKey(await inForm(jwk, form), { backend }))).toMatchObject({
          code: "ERR_KEY",
        })
        expect(
          await errorOf(importSigningKey(await inForm(publicJwk(jwk), form), { backend })),
        ).toMatchObject({ code: "ERR_KEY" })
      }
    },
  )

  test.each(ALGORITHMS)(
    "refuses a pair of CryptoKeys of %s that do not belong together",
    async (_, jwk, other) => {
      const privateKey = await cryptoKeyOf(jwk, false)
      const stranger =
        jwk.kty === "OKP"
          ? generateKeyPairSync("ed25519")
          : generateKeyPairSync("ec", { namedCurve: "P-256" })
      const strangerJwk = stranger.publicKey.export({ format: "jwk" }) as Jwk
      for (const publicKey of [await cryptoKeyOf(strangerJwk), await cryptoKeyOf(publicJwk(other))]) {
        expect(await errorOf(importSigningKey({ publicKey, privateKey }, { backend }))).toMatchObject({
          code: "ERR_KEY",
        })
      }
    },
  )

  test("refuses recipient keys in any form", async () => {
    for (const form of FORMS) {
      const [privateSource, publicSource] = await Promise.all([
        inForm(knownAnswers.recipient, form),
        inForm(publicJwk(knownAnswers.recipient), form),
      ])
      expect(await errorOf(importSigningKey(privateSource, { backend }))).toMatchObject({ code: "ERR_KEY" })
      expect(await errorOf(importVerifyingKey(publicSource, { backend }))).toMatchObject({ code: "ERR_KEY" })
    }
  })
})
