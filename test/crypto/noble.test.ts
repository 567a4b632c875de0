/** What the noble backend is for: a page that has `crypto.getRandomValues` and no more. */

import { fileURLToPath } from "node:url"

import { build } from "esbuild"
import { afterEach, describe, expect, it, vi } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { noble } from "../../src/crypto/noble.ts"
import vectors from "../../vectors/known-answers.json" with { type: "json" }

const bundle = async (): Promise<string> => {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("../../src/crypto/noble.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  })
  return result.outputFiles[0]?.text ?? ""
}

describe("the noble backend", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it("imports nothing of node: and never names crypto.subtle", async () => {
    const text = await bundle()
    expect(text).toContain("getRandomValues")
    expect(text).not.toMatch(/node:|\bsubtle\b/)
  })

  it("works where crypto is getRandomValues alone", async () => {
    const { getRandomValues } = crypto
    const bare = { getRandomValues: vi.fn(getRandomValues.bind(crypto)) }
    vi.stubGlobal("crypto", bare)
    const { n, e, kty } = vectors.recipient
    const key = noble.randomBytes(32)
    const wrapped = await (await noble.importWrapKey({ n, e, kty })).wrap(key)
    // the seed of OAEP comes from the same generator as the key
    expect(bare.getRandomValues).toHaveBeenCalledTimes(2)
    const { publicJwk, handle } = await noble.generateSignature("ES256", false)
    const signature = await handle.sign(key)
    vi.unstubAllGlobals()
    const unwrapping = await node.importUnwrapKey(vectors.recipient, false)
    expect(new Uint8Array(await unwrapping.unwrap(wrapped))).toEqual(key)
    expect(await (await node.importVerifyKey(publicJwk, "ES256")).verify(signature, key)).toBe(true)
  })

  it("wraps for a key of 3072 bits", async () => {
    const { n, e, kty } = vectors.recipient_3072
    const contentKey = noble.randomBytes(32)
    const wrapped = await (await noble.importWrapKey({ n, e, kty })).wrap(contentKey)
    expect(wrapped.length).toBe(384)
    const unwrapping = await node.importUnwrapKey(vectors.recipient_3072, false)
    expect(new Uint8Array(await unwrapping.unwrap(wrapped))).toEqual(contentKey)
  })

  it.runIf(process.env["SEALWIRE_TEST_ALL"] === "1")(
    "wraps for a key of 4096 bits",
    async () => {
      const { publicJwk, handle } = await node.generateRsa(4096, false)
      const contentKey = noble.randomBytes(32)
      const wrapped = await (await noble.importWrapKey(publicJwk)).wrap(contentKey)
      expect(wrapped.length).toBe(512)
      expect(new Uint8Array(await handle.unwrap(wrapped))).toEqual(contentKey)
    },
    60_000,
  )

  it("says what can do what it cannot", async () => {
    expect(() => noble.importUnwrapKey(vectors.recipient, false)).toThrow(/secure context \(https\)/)
    await expect(noble.generateRsa(3072, false)).rejects.toThrow(/secure context \(https\)/)
    expect(() => noble.decodeDer("spki", new Uint8Array(1))).toThrow(/give a JWK/)
    await expect(noble.decodeCryptoKey({} as never)).rejects.toThrow(/give a JWK/)
  })

  it("refuses a JWK whose members are of another kind, not canonical, or too short", () => {
    const { kty, crv, x } = vectors.signer
    const importing = (changes: object) => () => noble.importVerifyKey({ kty, crv, x, ...changes }, "Ed25519")
    expect(importing({})).not.toThrow()
    expect(importing({ kty: "EC" })).toThrow(/kty OKP/)
    expect(importing({ crv: "X25519" })).toThrow(/crv Ed25519/)
    expect(importing({ x: `${x}=` })).toThrow(/canonical base64url/)
    expect(importing({ x: x.slice(0, -3) })).toThrow(RangeError)
  })
})
