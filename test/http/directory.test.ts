import { describe, expect, it } from "vitest"

import { canonicalJson } from "../../src/base/canonical-json.ts"
import { backend } from "../../src/crypto/node.ts"
import { type Directory, readDirectory, signDirectory } from "../../src/http/directory.ts"
import { generateKeyPair, generateSigningKeyPair } from "../../src/keys.ts"
import { signStatement } from "../../src/keys/statement.ts"
import { knownAnswers } from "../support/vectors.ts"

const ORIGIN = "https://api.example.com"
const NOW = 1_767_225_700

const [{ signingKey: identity }, { publicKey }] = await Promise.all([
  generateSigningKeyPair(),
  generateKeyPair({ modulusBits: 2048 }),
])
const terms = { pins: [identity.kid], origin: ORIGIN, nowSeconds: NOW, lowestSeq: 0 }
const directory: Directory = {
  origin: ORIGIN,
  issuedAtSeconds: NOW - 10,
  expiresAtSeconds: NOW + 3600,
  keys: [publicKey],
  next: [],
  seq: 7,
}
const read = (text: string, other: Partial<typeof terms> = {}): Promise<Directory> =>
  readDirectory(backend, text, { ...terms, ...other })

describe("a key directory", () => {
  it("is read as the known answer says", async () => {
    const known = await read(knownAnswers.directory, {
      pins: ["1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y"],
    })
    expect(known).toMatchObject({ seq: 1, next: [], issuedAtSeconds: 1_767_225_600 })
    expect(known.keys.map(({ kid }) => kid)).toEqual(["wp6WqjL11v1fcR9NScGUbJxe9ipO-gP81E4zmVvAKsw"])
  })

  it("comes back as it was signed, by Ed25519 and by P-256", async () => {
    const { signingKey: p256 } = await generateSigningKeyPair({ algorithm: "ES256" })
    for (const signer of [identity, p256]) {
      const found = await read(await signDirectory(signer, directory), { pins: ["x", signer.kid] })
      expect({ ...found, keys: found.keys.map(({ kid }) => kid) }).toEqual({
        ...directory,
        keys: [publicKey.kid],
      })
    }
  })

  it.each([
    ["signed by nobody who is pinned", {}, { pins: ["A".repeat(43)] }],
    ["for another origin", { origin: "https://other.example.com" }, {}],
    ["that has run out", { expiresAtSeconds: NOW }, {}],
    ["that lives for more than a day", { expiresAtSeconds: NOW - 10 + 86_401 }, {}],
    ["that ends before it begins", { issuedAtSeconds: NOW + 3601 }, {}],
    ["from the far future", { issuedAtSeconds: NOW + 86_401, expiresAtSeconds: NOW + 90_000 }, {}],
    ["older than one that was seen", {}, { lowestSeq: 8 }],
    ["without keys", { keys: [] }, {}],
  ])("is refused %s", async (_, change, other) => {
    const text = await signDirectory(identity, { ...directory, ...change })
    await expect(read(text, other)).rejects.toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
  })

  it.each([
    ["another member", { more: 1 }],
    ["no seq", { seq: undefined }],
    ["a text as seq", { seq: "7" }],
    ["next that is no thumbprint", { next: ["a"] }],
    ["a key that is none", { keys: [1] }],
  ])("is refused with %s, though it is signed", async (_, change) => {
    const payload = { aud: ORIGIN, exp: NOW + 10, iat: NOW, keys: [], next: [], seq: 1, ...change }
    const text = await signStatement(identity, "sw1-keys", JSON.parse(JSON.stringify(payload)) as object)
    await expect(read(text)).rejects.toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
  })

  it("is refused as an offer, altered anywhere, with its header in another form, and under another's key", async () => {
    const text = await signDirectory(identity, directory)
    const [header = "", payload = "", signature = ""] = text.split(".")
    const head = Buffer.from(header, "base64url").toString()
    const { signingKey: stranger } = await generateSigningKeyPair()
    const { origin: aud, issuedAtSeconds: iat, expiresAtSeconds: exp } = directory
    const offered = await signStatement(identity, "sw1-offer", { aud, exp, iat, keys: [], next: [], seq: 1 })
    const forged = await signDirectory(stranger, directory)
    const strangersHead = Buffer.from(forged.split(".")[0] ?? "", "base64url").toString()
    const relabelled = strangersHead.replace(stranger.kid, identity.kid)
    const recode = (value: string): string => Buffer.from(value).toString("base64url")
    const spaced = JSON.stringify(JSON.parse(Buffer.from(payload, "base64url").toString()), null, 1)
    for (const bad of [
      offered,
      `${header}.${recode(spaced)}.${signature}`,
      `${header}.${payload.slice(0, -4)}AAAA.${signature}`,
      `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
      `${recode(head.replace(",", ", "))}.${payload}.${signature}`,
      `${recode(head.replace("Ed25519", "none"))}.${payload}.${signature}`,
      `${recode(relabelled)}.${forged.split(".").slice(1).join(".")}`,
      forged,
      "",
      "a.b.c",
    ]) {
      await expect(read(bad)).rejects.toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
    }
  })
})

describe("canonical JSON", () => {
  it("has sorted names and no spaces", () => {
    expect(canonicalJson({ b: [1, "é"], a: null })).toBe('{"a":null,"b":[1,"é"]}')
  })

  it.each([
    [undefined],
    [NaN],
    [1n],
    ["\ud800"],
    [new Date(0)],
    [{ a: undefined }],
    [{ "\ud800": 1 }],
    [() => 1],
  ])("refuses %s", (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
  })
})
