import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"

import { SealwireError } from "../../src/base/errors.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { replyOpener } from "../../src/envelope/open-reply.ts"
import type { PrivateKey, VerifyingKey } from "../../src/keys/key.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { importVerifyingKey } from "../../src/keys/signer.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { b64u, forge, forgeJws, thumbprintOf } from "../support/forge.ts"
import { errorOf } from "../support/reader.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const segment = fc.uint8Array({ maxLength: 600 }).map(b64u)
const dotted = fc
  .array(fc.oneof(segment, fc.string(), fc.constant("")), { maxLength: 8 })
  .map((parts) => parts.join("."))

/** Five segments of which some are right. */
const nearly = fc
  .tuple(fc.infiniteStream(fc.boolean()), fc.array(segment, { minLength: 5, maxLength: 5 }))
  .map(([keep, others]) =>
    forge({ segments: (right) => right.map((each, at) => (keep.next().value ? each : (others[at] ?? ""))) }),
  )

const anyEnvelope = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withTypedArray: true,
  }),
  fc.string({ unit: "binary" }),
  dotted,
  nearly,
)

describe.each([node, web])("whatever comes, on the $name backend", (backend) => {
  let key: PrivateKey
  let signers: VerifyingKey[]
  beforeAll(async () => {
    key = await importPrivateKey(knownAnswers.recipient, { backend })
    signers = await Promise.all(
      [knownAnswers.signer, knownAnswers.signer_es256].map((jwk) =>
        importVerifyingKey(publicJwk(jwk), { backend }),
      ),
    )
  })
  /** Opens; the error of anything that is not opened. */
  const refusalOf = (envelope: unknown): Promise<unknown> =>
    open(envelope as string, { with: key, replay: dangerouslyAcceptReplays, knownSigners: signers }).then(
      () => undefined,
      (error: unknown) => error,
    )
  const expectUniform = (error: unknown): void => {
    if (error === undefined) return
    expect(error).toBeInstanceOf(SealwireError)
    expect(error).toMatchObject({ code: "ERR_OPEN_FAILED" })
  }

  test("open throws nothing but a SealwireError", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(anyEnvelope, async (envelope) => {
        expectUniform(await refusalOf(envelope))
      }),
      runs(300),
    )
  })

  test("opening a reply throws nothing but a SealwireError", { timeout: TIMEOUT_MS }, async () => {
    const end = { backend, envelope: forge(), seed: new Uint8Array(32), kid: key.kid }
    await fc.assert(
      fc.asyncProperty(anyEnvelope, async (reply) => {
        expectUniform(await errorOf((await replyOpener(end))(reply as string)))
      }),
      runs(200),
    )
  })

  test(
    "an authentic plaintext of any bytes is opened or refused the same way",
    { timeout: TIMEOUT_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 66, maxLength: 400 }), async (plaintext) => {
          expect(await refusalOf(forge({ plaintext: () => plaintext }))).toMatchObject({
            code: "ERR_OPEN_FAILED",
          })
        }),
        runs(60),
      )
    },
  )

  test("a signature of any bytes is refused the same way", { timeout: TIMEOUT_MS }, async () => {
    const anyJws = fc
      .record({
        signer: fc.constantFrom(knownAnswers.signer, knownAnswers.signer_es256),
        members: fc.dictionary(fc.string(), fc.jsonValue()),
        payload: fc.uint8Array({ maxLength: 64 }),
      })
      .map(({ signer, members, payload }) =>
        forgeJws(
          signer,
          JSON.stringify({ alg: "Ed25519", kid: thumbprintOf(signer), typ: "sw1-sig", ...members }),
          payload,
        ),
      )
    const anySignature = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 1000 }),
      fc.string({ unit: "binary", minLength: 1 }),
      fc.tuple(segment, segment, segment).map((parts) => parts.join(".")),
      anyJws,
    )
    await fc.assert(
      fc.asyncProperty(anySignature, async (signature) => {
        expect(await refusalOf(forge({ signature: () => signature }))).toMatchObject({
          code: "ERR_OPEN_FAILED",
        })
      }),
      runs(100),
    )
  })

  test("an encrypted key of any bytes is refused the same way", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 256, maxLength: 256 }), async (encryptedKey) => {
        const error = await refusalOf(forge({ encryptedKey: () => encryptedKey }))
        expect(error).toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(40),
    )
  })

  test(
    "a key of any form is refused with ERR_KEY, ERR_UNSUPPORTED or a TypeError",
    { timeout: TIMEOUT_MS },
    async () => {
      const members = [
        "kty",
        "n",
        "e",
        "d",
        "x",
        "y",
        "crv",
        "alg",
        "use",
        "key_ops",
        "kid",
        "p",
        "q",
        "oth",
        "usages",
        "privateKey",
      ]
      const value = fc.oneof(
        fc.anything(),
        fc.constantFrom("RSA", "EC", "OKP", "AQAB", "P-256", "Ed25519"),
        segment,
      )
      const jwk = fc.oneof(
        fc.dictionary(fc.constantFrom(...members), value),
        fc
          .tuple(fc.constantFrom(...members), value)
          .map(([member, odd]) => ({ ...publicJwk(knownAnswers.recipient), [member]: odd })),
        fc
          .tuple(fc.constantFrom(...members), value)
          .map(([member, odd]) => ({ ...knownAnswers.signer_es256, [member]: odd })),
      )
      await fc.assert(
        fc.asyncProperty(fc.oneof(jwk, fc.anything(), fc.uint8Array()), async (source) => {
          for (const importKey of [importPublicKey, importPrivateKey, importVerifyingKey]) {
            const error = await importKey(source as string, { backend }).then(
              () => undefined,
              (thrown: unknown) => thrown,
            )
            if (error === undefined || error instanceof TypeError) continue
            expect(error).toBeInstanceOf(SealwireError)
            expect((error as SealwireError).code).toBe("ERR_KEY")
          }
        }),
        runs(150),
      )
    },
  )
})
