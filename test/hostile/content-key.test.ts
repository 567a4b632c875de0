import { constants, createPublicKey, publicEncrypt } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import { SealwireError } from "../../src/base/errors.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { b64u, CONTENT_KEY, encryptGcm, encryptRsa, forge, MESSAGE } from "../support/forge.ts"
import { createReader, errorOf, expectRefusal, openNow, type Reader } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"
import { knownAnswers } from "../support/vectors.ts"

const { recipient } = knownAnswers
const modulus = BigInt(`0x${Buffer.from(String(recipient["n"]), "base64url").toString("hex")}`)

const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(512, "0"), "hex")
const fromBytes = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

/** c + n, for a c for which it still fits into 256 bytes: two texts that mean one number. */
function aboveModulus(): Buffer {
  for (let i = 0; i < 1000; i++) {
    const sum = fromBytes(encryptRsa(recipient, CONTENT_KEY)) + modulus
    if (sum < 2n ** 2048n) return toBytes(sum)
  }
  return expect.fail("no sum fits")
}

function encryptRaw(padded: Uint8Array): Buffer {
  const key = createPublicKey({ key: recipient as never, format: "jwk" })
  return publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, padded)
}

describe.each([node, web, noble])("content keys on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })

  test.each([0, 1, 16, 24, 31, 33, 48, 64, 190])(
    "refuses a content key of %i bytes inside right OAEP",
    async (length) => {
      const bytes = Buffer.concat([CONTENT_KEY, Buffer.alloc(190)]).subarray(0, length)
      await expectRefusal(reader, "P1", forge({ encryptedKey: () => encryptRsa(recipient, bytes) }))
    },
  )

  test.each([
    [
      "PKCS #1 v1.5 padding",
      () => encryptRsa(recipient, CONTENT_KEY, { padding: constants.RSA_PKCS1_PADDING }),
    ],
    ["OAEP with SHA-1", () => encryptRsa(recipient, CONTENT_KEY, { oaepHash: "sha1" })],
    ["OAEP with SHA-384", () => encryptRsa(recipient, CONTENT_KEY, { oaepHash: "sha384" })],
    ["OAEP with SHA-512", () => encryptRsa(recipient, CONTENT_KEY, { oaepHash: "sha512" })],
    ["OAEP with a label", () => encryptRsa(recipient, CONTENT_KEY, { oaepLabel: Buffer.from("sealwire") })],
    ["no padding", () => encryptRaw(Buffer.concat([Buffer.alloc(224), CONTENT_KEY]))],
    [
      "a padding of 0xff",
      () => encryptRaw(Buffer.concat([Buffer.of(0, 1), Buffer.alloc(221, 0xff), Buffer.of(0), CONTENT_KEY])),
    ],
    ["nothing but zero", () => Buffer.alloc(256)],
    ["one", () => toBytes(1n)],
    ["the modulus less one", () => toBytes(modulus - 1n)],
    ["the modulus", () => toBytes(modulus)],
    ["the modulus and one", () => toBytes(modulus + 1n)],
    ["nothing but ones", () => Buffer.alloc(256, 0xff)],
    ["a right one to which the modulus is added", aboveModulus],
    ["a right one with its bytes reversed", () => encryptRsa(recipient, CONTENT_KEY).reverse()],
    ["a right one for another content key", () => encryptRsa(recipient, Buffer.alloc(32, 1))],
  ])("refuses an encrypted key of 256 bytes that is %s", async (_, encryptedKey) => {
    await expectRefusal(reader, "P1", forge({ encryptedKey }))
  })

  test.each([
    ["no byte", (right: Buffer) => right.subarray(256)],
    ["a byte too few", (right: Buffer) => right.subarray(1)],
    ["a byte too many", (right: Buffer) => Buffer.concat([right, Buffer.of(0)])],
    ["a leading zero byte", (right: Buffer) => Buffer.concat([Buffer.of(0), right])],
    [
      "the length of a 3072-bit key, padded in front",
      (right: Buffer) => Buffer.concat([Buffer.alloc(128), right]),
    ],
    [
      "the length of a 4096-bit key, padded behind",
      (right: Buffer) => Buffer.concat([right, Buffer.alloc(256)]),
    ],
    ["two encrypted keys", (right: Buffer) => Buffer.concat([right, right])],
    ["one for a key of 3072 bits", () => encryptRsa(knownAnswers.recipient_3072, CONTENT_KEY)],
  ])("refuses an encrypted key of another length, before the private key: %s", async (_, encryptedKey) => {
    await expectRefusal(reader, "P0", forge({ encryptedKey }))
  })

  test("refuses an encrypted key of 2048 bits at a key of 3072, before the private key", async () => {
    const large = await createReader(backend, knownAnswers.recipient_3072)
    const wrong = {
      recipient: knownAnswers.recipient_3072,
      encryptedKey: () => encryptRsa(recipient, CONTENT_KEY),
    }
    await expectRefusal(large, "P0", forge(wrong))
  })

  test("does not fall back to a key that an attacker can guess when unwrapping fails", async () => {
    const guesses = [Buffer.alloc(32), Buffer.alloc(32, 0xff), CONTENT_KEY]
    for (const contentKey of guesses) {
      await expectRefusal(reader, "P1", forge({ contentKey, encryptedKey: () => Buffer.alloc(256) }))
    }
  })
})

describe("unwrap hooks", () => {
  const hooked = async (unwrap: () => unknown): Promise<Reader> => {
    const { publicKey } = await importPrivateKey(recipient)
    let unwraps = 0
    const count = (): Uint8Array => {
      unwraps++
      return unwrap() as Uint8Array
    }
    const key = await importPrivateKey({ publicKey, unwrap: count })
    return {
      key,
      get unwraps() {
        return unwraps
      },
    }
  }
  const rejecting = (error: unknown) => (): unknown => Promise.reject(error)

  test.each<[name: string, unwrap: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error(`decryption failed: ${CONTENT_KEY.toString("hex")}`)
      },
    ],
    ["rejects", rejecting(new Error("padding"))],
    ["rejects with nothing", rejecting(undefined)],
    ["rejects with text", rejecting("padding")],
    ["rejects with ERR_KEY", rejecting(new SealwireError("ERR_KEY", "denied"))],
    [
      "rejects with ERR_OPEN_FAILED and a cause",
      rejecting(new SealwireError("ERR_OPEN_FAILED", "x", { cause: CONTENT_KEY })),
    ],
    ["rejects with an object that only looks unavailable", rejecting({ code: "ERR_KEY_UNAVAILABLE" })],
    ["gives nothing", () => undefined],
    ["gives null", () => null],
    ["gives no bytes", () => new Uint8Array(0)],
    ["gives 31 bytes", () => new Uint8Array(31)],
    ["gives 33 bytes", () => new Uint8Array(33)],
    ["gives the encrypted key", () => new Uint8Array(256)],
    ["gives the key in base64url", () => b64u(CONTENT_KEY)],
    ["gives a number", () => 32],
    ["gives text of a number", () => "32"],
    ["gives an object with a length", () => ({ length: 32 })],
    ["gives an array", () => Array.from({ length: 32 }, () => 0)],
    ["gives a buffer of zeros that is no array of bytes", () => new Float64Array(32)],
  ])("refuse as any other failure when one %s, and do not take zeros for a key", async (_, unwrap) => {
    const reader = await hooked(unwrap)
    await expectRefusal(reader, "P1", forge())
    await expectRefusal(reader, "P1", forge({ contentKey: Buffer.alloc(32) }))
  })

  test.each([
    ["a Uint8Array", () => new Uint8Array(CONTENT_KEY)],
    ["a Buffer", () => CONTENT_KEY],
    ["a promise", () => Promise.resolve(CONTENT_KEY)],
  ])("open with the content key as %s", async (_, unwrap) => {
    const opened = await openNow(await hooked(unwrap), forge())
    expect(opened.text()).toBe(MESSAGE)
  })

  test("say that a service is away, and show no secret in saying it", async () => {
    const away = new SealwireError("ERR_KEY_UNAVAILABLE", "the key service does not answer")
    const error = await errorOf(openNow(await hooked(rejecting(away)), forge()))
    expect(error).toBe(away)
    expectNoSecret(error, [CONTENT_KEY, MESSAGE])
  })

  test("are not called for an envelope whose tag could never fit", async () => {
    const reader = await hooked(() => CONTENT_KEY)
    const [, tag] = encryptGcm(CONTENT_KEY, Buffer.alloc(12), "", Buffer.alloc(0))
    await expectRefusal(
      reader,
      "P0",
      forge({ segments: (right) => right.with(4, b64u(tag.subarray(0, 12))) }),
    )
  })
})

describe("after the unwrap", () => {
  const flipped = (bytes: Buffer): Buffer => Buffer.from(bytes.with(0, (bytes[0] ?? 0) ^ 1))
  const kinds: readonly [string, string][] = [
    ["a key that does not unwrap", forge({ encryptedKey: () => Buffer.alloc(256, 1) })],
    ["a key of 31 bytes", forge({ encryptedKey: () => encryptRsa(recipient, Buffer.alloc(31)) })],
    ["a wrong tag", forge({ segments: (right) => right.with(4, b64u(Buffer.alloc(16, 1))) })],
    ["a nonce that is not the seed's", forge({ members: { jti: "AAAAAAAAAAAAAAAAAAAAAA" } })],
    ["a wrong digest", forge({ digest: flipped })],
  ]

  test("every failure takes the same steps, over as many bytes", async () => {
    let steps: string[] = []
    const counting: Backend = {
      ...node,
      sha256: (data) => {
        steps.push(`sha256 ${data.length}`)
        return node.sha256(data)
      },
      hmacSha256: (key, data) => {
        steps.push(`hmac ${data.length}`)
        return node.hmacSha256(key, data)
      },
      openAesGcm: (key, iv, aad, sealed) => {
        steps.push(`gcm ${sealed.ciphertext.length}`)
        return node.openAesGcm(key, iv, aad, sealed)
      },
    }
    const reader = await createReader(counting)
    // the hash of a context is kept once it is known
    await errorOf(openNow(reader, kinds[0]?.[1]))
    const taken = []
    for (const [, envelope] of kinds) {
      steps = []
      await expectRefusal(reader, "P1", envelope)
      taken.push(steps)
    }
    expect(taken[0]?.filter((step) => step.startsWith("sha256"))).toHaveLength(2)
    for (const each of taken) expect(each).toEqual(taken[0])
  })
})
