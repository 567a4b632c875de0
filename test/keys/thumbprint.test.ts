import { calculateJwkThumbprint } from "jose"
import { describe, expect, test } from "vitest"

import type { Jwk } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { exportJwk } from "../../src/keys/export-jwk.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { thumbprint } from "../../src/keys/thumbprint.ts"
import { errorOf } from "../support/reader.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const { recipient, recipient_3072: recipient3072, signer, signer_es256: signerEs256 } = knownAnswers

describe.each([node, web])("thumbprints on the $name backend", (backend) => {
  test.each([recipient, recipient3072, signer, signerEs256])(
    "are those of jose, for a key in $kty",
    async (jwk) => {
      const expected = await calculateJwkThumbprint(publicJwk(jwk))
      expect(await thumbprint(publicJwk(jwk), { backend })).toBe(expected)
      const reversed = Object.fromEntries(Object.entries(publicJwk(jwk)).reverse()) as unknown as Jwk
      expect(await thumbprint({ ...reversed, ext: true, x5t: "A" }, { backend })).toBe(expected)
    },
  )

  test("name generated keys as jose does", async () => {
    const { privateKey } = await generateKeyPair({ backend, modulusBits: 2048 })
    const { signingKey } = await generateSigningKeyPair({ backend, algorithm: "ES256" })
    for (const key of [privateKey.publicKey, signingKey.verifyingKey]) {
      expect(await calculateJwkThumbprint(await exportJwk(key))).toBe(key.kid)
    }
  })

  test("are of no key that the protocol refuses", async () => {
    for (const jwk of [
      recipient,
      { ...publicJwk(recipient), e: "Aw" },
      { ...publicJwk(recipient), kid: "mine" },
      { ...publicJwk(signer), crv: "Ed448" },
      { kty: "oct", k: "AAAA" },
    ]) {
      expect(await errorOf(thumbprint(jwk, { backend }))).toMatchObject({ code: "ERR_KEY" })
    }
  })

  test.each([undefined, null, "jwk", 5])(
    "are refused for %s with a TypeError that names the argument",
    async (jwk) => {
      const error = await errorOf(thumbprint(jwk as never, { backend }))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toMatch(/^jwk must be a JWK, not /)
    },
  )
})
