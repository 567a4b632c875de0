import { afterEach, expect, it, vi } from "vitest"

import { backend } from "../../src/crypto/web.ts"
import { exportJwk, exportPem, generateKeyPair, importPrivateKey } from "../../src/keys.ts"

afterEach(() => vi.restoreAllMocks())

it("reads keys where the platform names members that they have not, as workerd does", async () => {
  const { privateKey } = await generateKeyPair({ modulusBits: 2048, extractable: true })
  const pem = await exportPem(privateKey)
  const exportKey = crypto.subtle.exportKey.bind(crypto.subtle) as (
    format: "jwk",
    key: CryptoKey,
  ) => Promise<JsonWebKey>
  vi.spyOn(crypto.subtle, "exportKey").mockImplementation((async (format: "jwk", key: CryptoKey) => ({
    ...(await exportKey(format, key)),
    oth: undefined,
    k: undefined,
  })) as never)
  const imported = await importPrivateKey(pem, { backend, extractable: true })
  expect(imported.kid).toBe(privateKey.kid)
  expect(Object.keys(await exportJwk(imported))).not.toContain("oth")
})
