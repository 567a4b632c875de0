import { createHmac, generateKeyPairSync } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import type { Jwk } from "../../src/crypto/backend.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import type { OpenOptions } from "../../src/envelope/open.ts"
import type { VerifyingKey } from "../../src/keys/key.ts"
import { importVerifyingKey } from "../../src/keys/signer.ts"
import { b64u, forge, forgeJws, forgeSignature, MESSAGE, type Parts, thumbprintOf } from "../support/forge.ts"
import { createReader, errorOf, expectRefusal, openNow, type Reader } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const { signer, signer_es256: signerEs256, recipient, recipient_3072: otherRecipient } = knownAnswers
const stranger = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as Jwk

const P256_ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
const ED25519_ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n

const to32Bytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex")
const fromBytes = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

/** A signature whose third segment is changed. */
const changeValue =
  (key: Jwk, change: (value: Buffer) => Uint8Array) =>
  (payload: Buffer): string => {
    const [header, signed, value = ""] = forgeSignature(key, payload).split(".")
    return [header, signed, b64u(change(Buffer.from(value, "base64url")))].join(".")
  }

const headerOf = (key: Jwk, changed: object): string =>
  JSON.stringify({
    alg: key.kty === "OKP" ? "Ed25519" : "ES256",
    kid: thumbprintOf(key),
    typ: "sw1-sig",
    ...changed,
  })

const signed = (header: string) => (payload: Buffer) => forgeJws(signer, header, payload)

/** A header and payload under an HMAC with the bytes of the public key. */
function hmacSignature(payload: Buffer): string {
  const text = `${b64u(headerOf(signer, { alg: "HS256" }))}.${b64u(payload)}`
  return `${text}.${createHmac("sha256", Buffer.from(String(signer["x"]), "base64url"))
    .update(text)
    .digest("base64url")}`
}

const SIGNATURES: Record<string, Parts["signature"]> = {
  "by a key that nobody knows": (payload) => forgeSignature(stranger, payload),
  "by a stranger under the name of the signer": (payload) =>
    forgeJws(stranger, headerOf(signer, {}), payload),
  "by the signer under the name of a stranger": (payload) =>
    forgeJws(signer, headerOf(stranger, {}), payload),
  "by the P-256 key under the name of the Ed25519 key": (payload) =>
    forgeJws(signerEs256, headerOf(signer, {}), payload),
  "whose alg is ES256 for an Ed25519 key": signed(headerOf(signer, { alg: "ES256" })),
  "whose alg is Ed25519 for a P-256 key": (payload) =>
    forgeJws(signerEs256, headerOf(signerEs256, { alg: "Ed25519" }), payload),
  "whose alg is EdDSA": signed(headerOf(signer, { alg: "EdDSA" })),
  "whose alg is HS256, over the bytes of the public key": hmacSignature,
  "whose alg is none": (payload) => `${b64u(headerOf(signer, { alg: "none" }))}.${b64u(payload)}.`,
  "whose alg is none, with the right signature": signed(headerOf(signer, { alg: "none" })),
  "with an embedded jwk": (payload) =>
    forgeJws(stranger, headerOf(stranger, { jwk: publicJwk(stranger) }), payload),
  "with an embedded jwk and no kid": (payload) =>
    forgeJws(stranger, JSON.stringify({ alg: "Ed25519", jwk: publicJwk(stranger), typ: "sw1-sig" }), payload),
  "with a jku": signed(headerOf(signer, { jku: "http://127.0.0.1:9/" })),
  "with crit": signed(headerOf(signer, { crit: ["b64"], b64: false })),
  "with its members in another order": signed(
    JSON.stringify({ typ: "sw1-sig", kid: thumbprintOf(signer), alg: "Ed25519" }),
  ),
  "with a space in its header": signed(headerOf(signer, {}).replace(",", ", ")),
  "with a member twice": signed(headerOf(signer, {}).replace("{", '{"alg":"none",')),
  "with the typ of an offer": signed(headerOf(signer, { typ: "sw1-offer" })),
  "with the typ of a directory": signed(headerOf(signer, { typ: "sw1-keys" })),
  "without a typ": signed(headerOf(signer, { typ: undefined })),
  "without a kid": signed(headerOf(signer, { kid: undefined })),
  "over other bytes": () => forgeSignature(signer, Buffer.alloc(32, 1)),
  "over no bytes": () => forgeSignature(signer, Buffer.alloc(0)),
  "over the payload and more": (payload) => forgeSignature(signer, Buffer.concat([payload, Buffer.of(0)])),
  "over the payload in hexadecimal": (payload) =>
    forgeSignature(signer, Buffer.from(payload.toString("hex"))),
  "with its payload detached": (payload) => {
    const [header, , value] = forgeSignature(signer, payload).split(".")
    return [header, "", value].join(".")
  },
  "with the payload of another": (payload) => {
    const [header, , value] = forgeSignature(signer, payload).split(".")
    return [header, b64u(Buffer.alloc(32)), value].join(".")
  },
  "cut short by a character": (payload) => forgeSignature(signer, payload).slice(0, -1),
  "longer by a character": (payload) => `${forgeSignature(signer, payload)}A`,
  "longer by a line feed": (payload) => `${forgeSignature(signer, payload)}\n`,
  "with a segment more": (payload) => `${forgeSignature(signer, payload)}.`,
  twice: (payload) => forgeSignature(signer, payload).repeat(2),
  "one space": () => " ",
  "one zero byte": () => Buffer.of(0),
  "two dots": () => "..",
  "not UTF-8": () => Buffer.alloc(250, 0xff),
  "a surrogate in UTF-8": () => Buffer.from([0xed, 0xa0, 0x80]),
  "65,535 dots": () => ".".repeat(65_535),
  "65,535 letters": () => "A".repeat(65_535),
  "another envelope": () => forge(),
  "of 63 bytes": changeValue(signer, (value) => value.subarray(1)),
  "of 65 bytes": changeValue(signer, (value) => Buffer.concat([value, Buffer.of(0)])),
  "all zero": changeValue(signer, () => Buffer.alloc(64)),
  "all ones": changeValue(signer, () => Buffer.alloc(64, 0xff)),
  "with unused bits set": (payload) => {
    const right = forgeSignature(signer, payload)
    const last = { A: "B", Q: "R", g: "h", w: "x" }[right.at(-1) ?? ""]
    return right.slice(0, -1) + (last ?? "")
  },
  "of Ed25519 with S raised by the order": changeValue(signer, (value) => {
    const s = fromBytes(Buffer.from(value.subarray(32)).reverse()) + ED25519_ORDER
    return Buffer.concat([value.subarray(0, 32), to32Bytes(s).reverse()])
  }),
  "of P-256 all zero": changeValue(signerEs256, () => Buffer.alloc(64)),
  "of P-256 all ones": changeValue(signerEs256, () => Buffer.alloc(64, 0xff)),
  "of P-256 with r zero": changeValue(signerEs256, (value) =>
    Buffer.concat([Buffer.alloc(32), value.subarray(32)]),
  ),
  "of P-256 with s zero": changeValue(signerEs256, (value) =>
    Buffer.concat([value.subarray(0, 32), Buffer.alloc(32)]),
  ),
  "of P-256 with r and s the order": changeValue(signerEs256, () =>
    Buffer.concat([to32Bytes(P256_ORDER), to32Bytes(P256_ORDER)]),
  ),
  "of P-256 with r and s one": changeValue(signerEs256, () => Buffer.concat([to32Bytes(1n), to32Bytes(1n)])),
  "of P-256 with r and s exchanged": changeValue(signerEs256, (value) =>
    Buffer.concat([value.subarray(32), value.subarray(0, 32)]),
  ),
  "of P-256 in DER": changeValue(signerEs256, (value) =>
    Buffer.concat([Buffer.of(0x30, 68, 2, 32), value.subarray(0, 32), Buffer.of(2, 32), value.subarray(32)]),
  ),
}

describe.each([node, web, noble])("signatures on the $name backend", (backend) => {
  let reader: Reader
  let known: [VerifyingKey, VerifyingKey]
  beforeAll(async () => {
    reader = await createReader(backend)
    known = await Promise.all([
      importVerifyingKey(publicJwk(signer), { backend }),
      importVerifyingKey(publicJwk(signerEs256), { backend }),
    ])
  })

  test.each(Object.entries(SIGNATURES))("refuses a signature %s, required or not", async (_, signature) => {
    const envelope = forge({ signature })
    const [first, second] = known
    for (const policy of [
      {},
      { knownSigners: known },
      { signedBy: known },
      { signedBy: first },
      { signedBy: second },
      { knownSigners: (kid: string) => Promise.resolve(known.find((key) => key.kid === kid)) },
      { knownSigners: () => Promise.resolve(first) },
    ] as Partial<OpenOptions>[]) {
      await expectRefusal(reader, "P1", envelope, policy)
    }
  })

  test.each([
    ["Ed25519", signer],
    ["ES256", signerEs256],
  ])("opens what %s signed, and refuses the same where nothing can check it", async (_, key) => {
    const envelope = forge({ signature: (payload) => forgeSignature(key, payload) })
    const opened = await openNow(reader, envelope, { signedBy: known })
    expect(opened.signer).toBe(thumbprintOf(key))
    await expectRefusal(reader, "P1", envelope)
    await expectRefusal(reader, "P1", envelope, { knownSigners: [] })
    await expectRefusal(reader, "P1", envelope, { signedBy: [] })
    const others = known.filter(({ kid }) => kid !== thumbprintOf(key))
    await expectRefusal(reader, "P1", envelope, { signedBy: others })
    await expectRefusal(reader, "P1", envelope, { knownSigners: others })
    await expectRefusal(reader, "P1", envelope, { knownSigners: () => Promise.resolve(undefined) })
  })

  test("refuses an envelope without a signature where one is required", async () => {
    await expectRefusal(reader, "P1", forge(), { signedBy: known })
    await expectRefusal(reader, "P1", forge(), { signedBy: [] })
    const opened = await openNow(reader, forge(), { knownSigners: known })
    expect(opened.signer).toBeUndefined()
  })

  test("refuses a signature and message that one recipient seals again to another", async () => {
    let lifted = ""
    forge({ signature: (payload) => (lifted = forgeSignature(signer, payload)) })
    const other = await createReader(backend, otherRecipient)
    for (const parts of [{}, { members: { iat: 1_790_000_000 } }] as Partial<Parts>[]) {
      const sealedAgain = forge({ ...parts, recipient: otherRecipient, signature: () => lifted })
      await expectRefusal(other, "P1", sealedAgain, { signedBy: known })
    }
  })

  test.each<[name: string, parts: Partial<Parts>, options: Partial<OpenOptions>]>([
    ["another message", { message: "pay the attacker" }, {}],
    ["another seed", { seed: Buffer.alloc(32, 1) }, {}],
    ["another time", { issuedAtSeconds: 1_790_000_001 }, {}],
    ["another context", { context: "elsewhere" }, { context: "elsewhere" }],
  ])("refuses a signature that is lifted to %s", async (_, parts, options) => {
    let lifted = ""
    const original = forge({ signature: (payload) => (lifted = forgeSignature(signer, payload)) })
    await expect(openNow(reader, original, { signedBy: known })).resolves.toBeDefined()
    await expectRefusal(reader, "P1", forge({ ...parts, signature: () => lifted }), {
      ...options,
      signedBy: known,
    })
  })

  test("refuses a signature that is taken out of an envelope where one is required", async () => {
    const wrong: Partial<Parts> = {
      signature: (payload) => forgeSignature(signer, payload),
      plaintext: (right) => {
        const length = right.readUInt16BE(64)
        return Buffer.concat([right.subarray(0, 64), Buffer.alloc(2), right.subarray(66 + length)])
      },
    }
    await expectRefusal(reader, "P1", forge(wrong), { signedBy: known })
    await expectRefusal(reader, "P1", forge(wrong), { knownSigners: known })
  })

  test("says that signers could not be looked up, claims nothing, and shows no secret", async () => {
    const envelope = forge({ signature: (payload) => forgeSignature(signer, payload) })
    const knownSigners = (): Promise<never> => Promise.reject(new Error("the database is away"))
    const error = await errorOf(openNow(reader, envelope, { knownSigners }))
    expect(error).toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
    expectNoSecret(error, [MESSAGE])
  })

  test("asks for a signer only after all else is right", async () => {
    const asked: string[] = []
    const knownSigners = (kid: string): Promise<undefined> => {
      asked.push(kid)
      return Promise.resolve(undefined)
    }
    const signature: Parts["signature"] = (payload) => forgeSignature(signer, payload)
    await expectRefusal(reader, "P1", forge({ signature, digest: () => Buffer.alloc(32) }), { knownSigners })
    await expectRefusal(reader, "P1", forge({ signature, members: { jti: "A".repeat(22) } }), {
      knownSigners,
    })
    expect(asked).toEqual([])
    await expectRefusal(reader, "P1", forge({ signature }), { knownSigners })
    expect(asked).toEqual([thumbprintOf(signer)])
  })
})

test("the public part of a recipient key is no verifying key", async () => {
  await expect(importVerifyingKey(publicJwk(recipient))).rejects.toMatchObject({ code: "ERR_KEY" })
})
