import { describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { replyOpener } from "../../src/envelope/open-reply.ts"
import { sealTo } from "../../src/envelope/seal.ts"
import { importPublicKey } from "../../src/keys/recipient.ts"
import { importVerifyingKey } from "../../src/keys/signer.ts"
import {
  claimIdOf,
  CONTENT_KEY,
  forge,
  forgeReply,
  forgeSignature,
  MESSAGE,
  NOW_SECONDS,
  SEED,
} from "../support/forge.ts"
import { createReader, guardOver, openNow } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"
import { hex, knownAnswers, messageOf, publicJwk } from "../support/vectors.ts"

const withoutEncryptedKey = (envelope: string): string[] => envelope.split(".").toSpliced(1, 1)

describe("the second implementation, which forges", () => {
  test.each(knownAnswers.cases.filter(({ name }) => name !== "signed es256"))(
    "makes the bytes of the known answer: $name",
    (answer) => {
      const forged = forge({
        recipient: knownAnswers[answer.recipient],
        context: hex(answer.context),
        message: messageOf(answer),
        seed: hex(answer.seed),
        contentKey: hex(answer.cek),
        iv: hex(answer.iv),
        issuedAtSeconds: answer.iat,
        signature: (payload) => (answer.signer === null ? "" : forgeSignature(knownAnswers.signer, payload)),
      })
      expect(withoutEncryptedKey(forged)).toEqual(withoutEncryptedKey(answer.envelope))
    },
  )

  test.each(knownAnswers.cases)(
    "makes the bytes of the reply of: $name",
    ({ envelope, iat, seed, reply }) => {
      const parts = { message: hex(reply.message), seed: hex(reply.seed), iv: hex(reply.iv) }
      const header = Buffer.from(reply.envelope.split(".")[0] ?? "", "base64url").toString()
      const { iat: issuedAtSeconds } = JSON.parse(header) as { iat: number }
      expect(forgeReply(envelope, hex(seed), { ...parts, issuedAtSeconds })).toBe(reply.envelope)
      expect(issuedAtSeconds).toBeGreaterThanOrEqual(iat)
    },
  )
})

describe.each([node, web, noble])(
  "the second implementation and the library on the $name backend",
  (backend) => {
    test("agree on what an envelope says", async () => {
      const reader = await createReader(backend)
      const store = spyStore()
      const signer = await importVerifyingKey(publicJwk(knownAnswers.signer), { backend })
      const context = "transfers"
      const envelope = forge({
        context,
        signature: (payload) => forgeSignature(knownAnswers.signer, payload),
      })
      const opened = await openNow(reader, envelope, { context, replay: guardOver(store), signedBy: signer })
      expect(opened.text()).toBe(MESSAGE)
      expect(opened.signer).toBe(signer.kid)
      expect(opened.issuedAt).toEqual(new Date(NOW_SECONDS * 1000))
      expect(reader.unwraps).toBe(1)
      expect(store.claims).toEqual([
        { id: claimIdOf(opened.kid, opened.id), expiresAtMs: (NOW_SECONDS + 1 + 120 + 10) * 1000 },
      ])
    })

    test("agree on the bytes of an envelope with a context", async () => {
      const to = await importPublicKey(publicJwk(knownAnswers.recipient), { backend })
      const fresh = {
        seed: new Uint8Array(SEED),
        contentKey: new Uint8Array(CONTENT_KEY),
        iv: new Uint8Array(12).fill(7),
        issuedAtSeconds: NOW_SECONDS,
      }
      const { envelope } = await sealTo(MESSAGE, { to, context: "Zoë" }, fresh)
      expect(withoutEncryptedKey(envelope)).toEqual(withoutEncryptedKey(forge({ context: "Zoë" })))
    })

    test("agree on replies, both ways", async () => {
      const reader = await createReader(backend)
      const request = forge()
      const seed = new Uint8Array(SEED)
      const openReply = await replyOpener({ backend, envelope: request, seed, kid: reader.key.kid })
      const opened = await openReply(
        forgeReply(request, SEED, { message: "by hand", seed: Buffer.alloc(32, 3) }),
      )
      expect(opened.text()).toBe("by hand")
      const answer = await (await openNow(reader, request)).reply("by the library")
      const again = await replyOpener({ backend, envelope: request, seed, kid: reader.key.kid })
      expect((await again(answer)).text()).toBe("by the library")
      expect(answer.split(".")[1]).toBe("")
    })
  },
)
