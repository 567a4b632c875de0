import { beforeAll, describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { seal, type SealOptions } from "../../src/envelope/seal.ts"
import type { PrivateKey, SigningKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { contextHashOf, forge } from "../support/forge.ts"
import { errorOf } from "../support/reader.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const headerOf = (envelope: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(envelope.split(".")[0] ?? "", "base64url").toString()) as Record<string, unknown>

describe.each([node, web])("sealing on the $name backend", (backend) => {
  let key: PrivateKey
  let signWith: SigningKey
  const opened = async (envelope: string, options = {}): Promise<string> =>
    (await open(envelope, { with: key, replay: dangerouslyAcceptReplays, ...options })).text()

  beforeAll(async () => {
    key = await importPrivateKey(knownAnswers.recipient, { backend })
    signWith = (await generateSigningKeyPair({ backend })).signingKey
  })

  test("writes a header with the time, the key's name and the hash of the context", async () => {
    const before = Math.floor(Date.now() / 1000)
    const envelope = await seal("x", { to: key.publicKey, context: "transfers" })
    const { iat, jti, ...rest } = headerOf(envelope)
    expect(rest).toEqual({
      alg: "RSA-OAEP-256",
      ctx: contextHashOf("transfers"),
      enc: "A256GCM",
      kid: key.kid,
      typ: "sw1",
    })
    expect(iat).toBeGreaterThanOrEqual(before)
    expect(iat).toBeLessThanOrEqual(Math.floor(Date.now() / 1000))
    expect(jti).toMatch(/^[\w-]{22}$/)
    expect(envelope).toMatch(/^[\w-]+\.[\w-]{342}\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/)
  })

  test("repeats no nonce, encrypted key, IV, ciphertext or tag", async () => {
    const envelopes = await Promise.all(Array.from({ length: 20 }, () => seal("x", { to: key.publicKey })))
    const parts = envelopes.flatMap((envelope) => [
      headerOf(envelope)["jti"],
      ...envelope.split(".").slice(1),
    ])
    expect(new Set(parts).size).toBe(100)
  })

  test("shows nothing of the message or the signer", async () => {
    const message = "a message that nobody may read, and that is long enough to be found"
    const envelope = await seal(message, { to: key.publicKey, signWith })
    const bytes = Buffer.concat(envelope.split(".").map((segment) => Buffer.from(segment, "base64url")))
    for (const secret of [message, signWith.kid]) {
      expect(envelope).not.toContain(Buffer.from(secret).toString("base64url").slice(2, -2))
      expect(bytes.includes(secret)).toBe(false)
    }
  })

  test("copies message and context before it waits for anything", async () => {
    const message = Buffer.from("first")
    const context = Buffer.from("here")
    const sealing = seal(message, { to: key.publicKey, context })
    message.write("other")
    context.write("gone")
    expect(await opened(await sealing, { context: "here" })).toBe("first")
  })

  test.each([
    ["text", "text"],
    ["bytes", new Uint8Array([116, 101, 120, 116])],
    ["a Buffer", Buffer.from("text")],
    ["a view into a larger buffer", new Uint8Array(Buffer.from("a text b").buffer.slice(0), 0, 0)],
    ["a view with an offset", Buffer.from("--text--").subarray(2, 6)],
    ["shared memory", Object.assign(new Uint8Array(new SharedArrayBuffer(4)), [116, 101, 120, 116])],
  ])("takes a message as %s", async (_, message) => {
    const envelope = await seal(message, { to: key.publicKey })
    expect(await opened(envelope)).toBe(Buffer.from(message as string).toString())
  })

  test("takes bytes and text for the same context", async () => {
    const envelope = await seal("x", { to: key.publicKey, context: "Zoë" })
    expect(await opened(envelope, { context: new TextEncoder().encode("Zoë") })).toBe("x")
    await expect(opened(envelope, { context: "Zoe\u0308" })).rejects.toThrow()
  })

  test.each(["\ud800", "a\udfffb", "\udc00\ud800", "x".repeat(1000) + "\ud83d"])(
    "throws a TypeError for a lone surrogate, which UTF-8 would change, case %#",
    async (text) => {
      for (const sealing of [
        seal(text, { to: key.publicKey }),
        seal("x", { to: key.publicKey, context: text }),
      ]) {
        const error = await errorOf(sealing)
        expect(error).toBeInstanceOf(TypeError)
        expect((error as Error).message).toMatch(/^(message|options\.context) has a lone surrogate/)
      }
      const opening = open("", { with: key, replay: dangerouslyAcceptReplays, context: text })
      expect(await errorOf(opening)).toBeInstanceOf(TypeError)
    },
  )

  test("keeps text to the code point", async () => {
    for (const text of ["\ufeffBOM", "\0", "e\u0301 é", "\u{1f512}\u{10ffff}", "\r\n\t"]) {
      expect(await opened(await seal(text, { to: key.publicKey }))).toBe(text)
    }
  })

  test.each<[name: string, message: unknown, options: (to: SealOptions["to"]) => unknown, names: string]>([
    ["a number for a message", 5, (to) => ({ to }), "message must be a string or a Uint8Array, not a number"],
    ["no message", undefined, (to) => ({ to }), "message must be"],
    [
      "an array for a message",
      [1],
      (to) => ({ to }),
      "message must be a string or a Uint8Array, not an array",
    ],
    ["an ArrayBuffer for a message", new ArrayBuffer(1), (to) => ({ to }), "message must be"],
    ["a DataView for a message", new DataView(new ArrayBuffer(1)), (to) => ({ to }), "message must be"],
    ["wider numbers for a message", new Uint16Array(1), (to) => ({ to }), "message must be"],
    ["no options", "x", () => undefined, "options must be an object"],
    ["no recipient", "x", () => ({}), "options.to must be a public key"],
    [
      "a JWK for a recipient",
      "x",
      () => ({ to: publicJwk(knownAnswers.recipient) }),
      "options.to must be a public key",
    ],
    ["a copy of a key for a recipient", "x", (to) => ({ to: { ...to } }), "options.to must be a public key"],
    ["an unknown option", "x", (to) => ({ to, contxt: "typo" }), 'no option "contxt"'],
    ["a context that is a number", "x", (to) => ({ to, context: 5 }), "options.context must be"],
    [
      "a context that is null",
      "x",
      (to) => ({ to, context: null }),
      "options.context must be a string or a Uint8Array, not null",
    ],
    [
      "a signer that is null",
      "x",
      (to) => ({ to, signWith: null }),
      "options.signWith must be a signing key",
    ],
    ["a limit of 0", "x", (to) => ({ to, maxMessageBytes: 0 }), "maxMessageBytes must be a whole number"],
    [
      "a limit above the highest",
      "x",
      (to) => ({ to, maxMessageBytes: 2 ** 28 + 1 }),
      "maxMessageBytes must be",
    ],
  ])(
    "throws a TypeError or RangeError that names the argument for %s",
    async (_, message, options, names) => {
      const error = await errorOf(seal(message as string, options(key.publicKey) as SealOptions))
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
      expect((error as Error).message).toContain(names)
    },
  )

  test("takes neither half of a pair for the other", async () => {
    for (const options of [
      { to: key },
      { to: signWith.verifyingKey },
      { to: key.publicKey, signWith: key },
    ]) {
      expect(await errorOf(seal("x", options as never))).toBeInstanceOf(TypeError)
    }
  })

  test("seals up to the limit that it is told, and opens up to the reader's, to the byte", async () => {
    const options = { to: key.publicKey, maxMessageBytes: 100 }
    const envelope = await seal("y".repeat(100), options)
    expect(await errorOf(seal("y".repeat(101), options))).toMatchObject({ code: "ERR_TOO_LARGE" })
    expect(await errorOf(seal("é".repeat(51), options))).toMatchObject({ code: "ERR_TOO_LARGE" })
    expect(await opened(envelope, { maxMessageBytes: 100 })).toHaveLength(100)
    for (const maxMessageBytes of [1, 50, 99]) {
      expect(await errorOf(opened(envelope, { maxMessageBytes }))).toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
    const signed = await seal("y".repeat(100), { ...options, signWith })
    expect(await opened(signed, { maxMessageBytes: 100, signedBy: signWith.verifyingKey })).toHaveLength(100)
    expect(
      await errorOf(opened(signed, { maxMessageBytes: 99, signedBy: signWith.verifyingKey })),
    ).toMatchObject({
      code: "ERR_OPEN_FAILED",
    })
  })

  test("opens a message that is as large as the limit by default, and none above", async () => {
    const limit = 16 * 1024 * 1024
    const issuedAtSeconds = Math.floor(Date.now() / 1000)
    const most = forge({ message: Buffer.alloc(limit), issuedAtSeconds })
    const replay = dangerouslyAcceptReplays
    expect((await open(most, { with: key, replay })).message).toHaveLength(limit)
    const more = forge({ message: Buffer.alloc(limit + 1), issuedAtSeconds })
    expect(await errorOf(open(more, { with: key, replay }))).toMatchObject({ code: "ERR_OPEN_FAILED" })
  })
})
