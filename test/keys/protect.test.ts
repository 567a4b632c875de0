import { afterEach, describe, expect, test, vi } from "vitest"

import { parseProtected, type ProtectedKey, serializeProtected } from "../../src/keys/pbes2.ts"
import { decodePem, encodePem } from "../../src/keys/pem.ts"
import {
  exportJwk,
  exportPem,
  exportProtectedPem,
  generateSigningKeyPair,
  importPrivateKey,
  importProtectedPrivateKey,
  importProtectedSigningKey,
  importSigningKey,
} from "../../src/keys.ts"
import { hasOpenssl, openssl } from "../support/openssl.ts"
import { knownAnswers } from "../support/vectors.ts"

const passphrase = "zwölf Boxkämpfer 🥊"
const wrong = { code: "ERR_KEY", message: "refused key: wrong passphrase, or a damaged file" }
const malformed = { code: "ERR_KEY", message: "refused key: not the DER of a key under a passphrase" }
const unsupported = {
  code: "ERR_KEY",
  message: expect.stringContaining("is accepted under PBES2 with PBKDF2") as unknown,
}

const recipient = await importPrivateKey(knownAnswers.recipient, { extractable: true })
const signer = await importSigningKey(knownAnswers.signer, { extractable: true })
const pem = await exportProtectedPem(recipient, { passphrase })
const plain = await exportPem(recipient)
const der = decodePem(pem, "ENCRYPTED PRIVATE KEY")

const read = (source: string | Uint8Array): Promise<unknown> =>
  importProtectedPrivateKey(
    typeof source === "string" ? source : encodePem("ENCRYPTED PRIVATE KEY", new Uint8Array(source)),
    { passphrase },
  )

const withFields = (fields: Partial<ProtectedKey>): Uint8Array =>
  serializeProtected({ ...parseProtected(der), ...fields })

async function expectWrong(reading: Promise<unknown>): Promise<void> {
  const error: unknown = await reading.catch((refusal: unknown) => refusal)
  expect(error).toMatchObject(wrong)
  expect(error).not.toHaveProperty("cause")
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("a private key under a passphrase", () => {
  test("comes back as the key it was", async () => {
    const again = await importProtectedPrivateKey(pem, { passphrase, extractable: true })
    expect(await exportJwk(again)).toEqual(await exportJwk(recipient))
  })

  test.each(["Ed25519", "ES256"] as const)("comes back as the %s signing key it was", async (algorithm) => {
    const { signingKey } = await generateSigningKeyPair({ algorithm, extractable: true })
    const bytes = crypto.getRandomValues(new Uint8Array(24))
    const text = await exportProtectedPem(signingKey, { passphrase: bytes })
    const again = await importProtectedSigningKey(text, { passphrase: bytes, extractable: true })
    expect(await exportJwk(again)).toEqual(await exportJwk(signingKey))
  })

  test("is not extractable unless asked", async () => {
    const again = await importProtectedPrivateKey(pem, { passphrase })
    await expect(exportProtectedPem(again, { passphrase })).rejects.toMatchObject({ code: "ERR_KEY" })
  })

  test("has 600,000 iterations of HMAC-SHA-256 and AES-256 unless more are asked for", async () => {
    expect(parseProtected(der)).toMatchObject({ hash: "SHA-256", iterations: 600_000, cipherBits: 256 })
    const more = await exportProtectedPem(signer, { passphrase, iterations: 700_001 })
    expect(parseProtected(decodePem(more, "ENCRYPTED PRIVATE KEY")).iterations).toBe(700_001)
  })

  test("has a salt and an IV of its own each time", async () => {
    const first = parseProtected(der)
    const second = parseProtected(
      decodePem(await exportProtectedPem(recipient, { passphrase }), "ENCRYPTED PRIVATE KEY"),
    )
    expect(second.salt).toHaveLength(16)
    expect(second.salt).not.toEqual(first.salt)
    expect(second.iv).not.toEqual(first.iv)
  })

  test("is refused with a wrong passphrase, without a cause", async () => {
    const refusal = importProtectedPrivateKey(pem, { passphrase: passphrase.normalize("NFD") })
    await expectWrong(refusal)
  })

  test("is refused the same way when a wrong passphrase happens to give well-formed padding", async () => {
    vi.spyOn(crypto.subtle, "decrypt").mockResolvedValueOnce(new Uint8Array(1200).fill(0x5a).buffer)
    await expectWrong(read(pem))
  })

  test("is refused by the import of the other kind", async () => {
    await expect(importProtectedSigningKey(pem, { passphrase })).rejects.toMatchObject({ code: "ERR_KEY" })
  })

  test("leaves no decrypted bytes behind", async () => {
    const decrypt = vi.spyOn(crypto.subtle, "decrypt")
    await read(pem)
    const decrypted = (await decrypt.mock.results[0]?.value) as ArrayBuffer
    expect(new Uint8Array(decrypted).every((byte) => byte === 0)).toBe(true)
  })

  test("says which cipher the platform lacks", async () => {
    vi.spyOn(crypto.subtle, "deriveKey").mockRejectedValueOnce(new Error("no"))
    const refusal = read(withFields({ cipherBits: 192 }))
    await expect(refusal).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" })
  })
})

describe("options of a passphrase", () => {
  test.each([599_999, 10_000_001, 600_000.5, 0])("refuses to write %d iterations", async (iterations) => {
    await expect(exportProtectedPem(recipient, { passphrase, iterations })).rejects.toThrow(RangeError)
  })

  test("refuses an empty passphrase", async () => {
    await expect(exportProtectedPem(recipient, { passphrase: "" })).rejects.toThrow(RangeError)
    const empty = importProtectedPrivateKey(pem, { passphrase: new Uint8Array(0) })
    await expect(empty).rejects.toThrow(RangeError)
  })

  test("refuses a passphrase with a lone surrogate", async () => {
    await expect(exportProtectedPem(recipient, { passphrase: "\ud800" })).rejects.toThrow(TypeError)
  })

  test("refuses an unknown option, a public key, and what is not text", async () => {
    const typo = { passphrase, iteration: 700_000 }
    await expect(exportProtectedPem(recipient, typo)).rejects.toThrow(TypeError)
    await expect(exportProtectedPem(recipient.publicKey as never, { passphrase })).rejects.toThrow(TypeError)
    await expect(importProtectedPrivateKey(der as never, { passphrase })).rejects.toThrow(TypeError)
  })

  test("refuses a key that is not extractable", async () => {
    const sealedIn = await importPrivateKey(knownAnswers.recipient)
    await expect(exportProtectedPem(sealedIn, { passphrase })).rejects.toMatchObject({ code: "ERR_KEY" })
  })
})

describe("reading hostile files", () => {
  test.each([
    ["no iterations", { iterations: 0 }],
    ["negative iterations", { iterations: -2048 }],
    ["10,000,001 iterations", { iterations: 10_000_001 }],
    ["2^53 - 1 iterations", { iterations: Number.MAX_SAFE_INTEGER }],
  ])("refuses %s at once", async (_, fields) => {
    const derive = vi.spyOn(crypto.subtle, "deriveKey")
    await expect(read(withFields(fields))).rejects.toMatchObject({ code: "ERR_KEY" })
    expect(derive).not.toHaveBeenCalled()
  })

  test.each([
    ["an IV of 15 bytes", { iv: new Uint8Array(15) }],
    ["a salt of 7 bytes", { salt: new Uint8Array(7) }],
    ["nothing encrypted", { encrypted: new Uint8Array(0) }],
    ["a part of a block", { encrypted: new Uint8Array(1201) }],
  ])("refuses %s", async (_, fields) => {
    await expect(read(withFields(fields))).rejects.toMatchObject(malformed)
  })

  test("refuses trailing bytes, and lengths written in a longer way", async () => {
    await expect(read(new Uint8Array([...der, 0]))).rejects.toMatchObject(malformed)
    expect([...der.subarray(0, 2)]).toEqual([0x30, 0x82])
    const longer = new Uint8Array([0x30, 0x83, 0, ...der.subarray(2)])
    await expect(read(longer)).rejects.toMatchObject(malformed)
  })

  test("refuses a length of the key that is not the cipher's, and takes one that is", async () => {
    const stated = withFields({ statesKeyLength: true })
    await expect(read(stated)).resolves.toMatchObject({ kid: recipient.kid })
    const at = Buffer.from(stated).indexOf(Buffer.from([0x02, 0x01, 32]))
    stated[at + 2] = 16
    await expect(read(stated)).rejects.toMatchObject(malformed)
  })

  test("refuses a file that is cut anywhere", () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => parseProtected(der.slice(0, length))).toThrow(expect.objectContaining({ code: "ERR_KEY" }))
    }
  })

  test("refuses, or reads to the same bytes, a file with any one byte of its head changed", () => {
    const head = der.length - parseProtected(der).encrypted.length
    for (let index = 0; index < head; index++) {
      for (const change of [0x01, 0x20, 0x80, 0xff]) {
        const changed = der.slice()
        changed[index] = (changed[index] ?? 0) ^ change
        const outcome = ((): Uint8Array | string => {
          try {
            return serializeProtected(parseProtected(changed))
          } catch (error) {
            return (error as { code: string }).code
          }
        })()
        expect(["ERR_KEY", changed]).toContainEqual(outcome)
      }
    }
  })

  test.each([
    ["garbage", new Uint8Array(300).fill(0x30)],
    ["nested sequences", new Uint8Array(400).map((_, index) => (index % 2 === 0 ? 0x30 : 0x80))],
    ["an unprotected key", decodePem(plain, "PRIVATE KEY")],
  ])("refuses %s", async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: "ERR_KEY" })
  })

  test("tells an unprotected import what the file needs, and the other way round", async () => {
    await expect(importPrivateKey(pem)).rejects.toThrow(/importProtectedPrivateKey/)
    await expect(read(plain)).rejects.toMatchObject({ code: "ERR_KEY" })
  })
})

describe.runIf(hasOpenssl)("OpenSSL and a key under a passphrase", () => {
  const protect = (...args: readonly string[]): string =>
    openssl(["pkcs8", "-topk8", "-passout", "env:PASSPHRASE", ...args], plain, passphrase)

  test("reads what this library writes", () => {
    expect(openssl(["pkey", "-passin", "env:PASSPHRASE"], pem, passphrase)).toBe(plain)
  })

  test("reads a signing key that this library writes", async () => {
    const text = await exportProtectedPem(signer, { passphrase })
    expect(openssl(["pkey", "-passin", "env:PASSPHRASE"], text, passphrase)).toBe(await exportPem(signer))
  })

  test("shows 600,000 iterations", () => {
    const dump = openssl(["asn1parse", "-i"], pem)
    expect(dump).toMatch(new RegExp(`INTEGER +:0*${(600_000).toString(16)}\n`, "i"))
    expect(dump).toMatch(/:PBES2\n[\s\S]*:PBKDF2\n[\s\S]*:hmacWithSHA256\n[\s\S]*:aes-256-cbc\n/)
  })

  test.each([
    ["its default", []],
    ["2,048 iterations", ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "2048"]],
    ["700,000 iterations", ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "700000"]],
    ["HMAC-SHA-384 and AES-128", ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA384"]],
    ["HMAC-SHA-512 and AES-192", ["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"]],
  ])("writes what this library reads: %s", async (_, args) => {
    await expect(read(protect(...args))).resolves.toMatchObject({ kid: recipient.kid })
  })

  test.each([
    ["HMAC-SHA-1", ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"]],
    ["HMAC-SHA-224", ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA224"]],
    ["triple DES", ["-v2", "des3"]],
    ["scrypt", ["-scrypt"]],
    ["PBES1", ["-v1", "PBE-SHA1-3DES"]],
  ])("writes what this library refuses: %s", async (_, args) => {
    await expect(read(protect(...args))).rejects.toMatchObject(unsupported)
  })
})
