import { describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { sealTo } from "../../src/envelope/seal.ts"
import { open } from "../../src/envelope/open.ts"
import { replyOpener } from "../../src/envelope/open-reply.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import type { SigningKey } from "../../src/keys/key.ts"
import { importSigningKey } from "../../src/keys/signer.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { hex, type KnownAnswer, knownAnswers, messageOf, publicJwk, toHex } from "../support/vectors.ts"

const segments = (envelope: string): Record<string, string | undefined> => {
  const [header, encryptedKey, iv, ciphertext, tag] = envelope.split(".")
  return { header, encryptedKey, iv, ciphertext, tag }
}

async function signersOf({ signer }: KnownAnswer, backend: Backend): Promise<SigningKey[]> {
  const jwks = [knownAnswers.signer, knownAnswers.signer_es256]
  const keys = await Promise.all(jwks.map((jwk) => importSigningKey(jwk, { backend })))
  return keys.filter(({ kid }) => kid === signer)
}

describe.each([node, web])("known answers on the $name backend", (backend) => {
  test("has seven of them", () => {
    expect(knownAnswers.cases).toHaveLength(7)
  })

  test.each(knownAnswers.cases)("opens: $name", async (answer) => {
    const claims: { id: string; expiresAtMs: number }[] = []
    const store = {
      claim: (id: string, expiresAtMs: number) => {
        claims.push({ id, expiresAtMs })
        return Promise.resolve(true)
      },
    }
    const replay = createReplayGuard({ store, clock: () => answer.iat * 1000 })
    const key = await importPrivateKey(knownAnswers[answer.recipient], { backend })
    const [signer] = await signersOf(answer, backend)
    const opened = await open(answer.envelope, {
      with: key,
      context: hex(answer.context),
      replay,
      ...(signer ? { signedBy: signer.verifyingKey } : {}),
    })
    expect(toHex(opened.message) === toHex(messageOf(answer))).toBe(true)
    expect(toHex(opened.digest)).toBe(answer.message_sha256)
    expect(opened.id).toBe(answer.id)
    expect(opened.issuedAt.getTime()).toBe(answer.iat * 1000)
    expect(opened.signer ?? null).toBe(answer.signer)
    expect(claims).toEqual([{ id: answer.claim_id, expiresAtMs: (answer.iat + 1 + 120 + 10) * 1000 }])
  })
})

// noble has no private RSA operation, so it opens no envelope; it seals them, and opens the replies
describe.each([node, web, noble])("known answers, the sender's side, on the $name backend", (backend) => {
  test.each(knownAnswers.cases)("seals to the same bytes and opens the reply: $name", async (answer) => {
    const to = await importPublicKey(publicJwk(knownAnswers[answer.recipient]), { backend })
    const [signWith] = await signersOf(answer, backend)
    const fresh = {
      seed: hex(answer.seed),
      contentKey: hex(answer.cek),
      iv: hex(answer.iv),
      issuedAtSeconds: answer.iat,
    }
    const context = hex(answer.context)
    const end = await sealTo(messageOf(answer), { to, context, ...(signWith ? { signWith } : {}) }, fresh)
    // ES256 and RSA-OAEP are random: those envelopes differ where they must
    const { encryptedKey: expectedKey, ...expected } = segments(answer.envelope)
    const { encryptedKey, ...actual } = segments(end.envelope)
    expect(encryptedKey).not.toBe(expectedKey)
    if (signWith?.algorithm !== "ES256")
      expect(JSON.stringify(actual) === JSON.stringify(expected)).toBe(true)
    else expect(actual["header"]).toBe(expected["header"])
    const opened = await (await replyOpener({ ...end, envelope: answer.envelope }))(answer.reply.envelope)
    expect(toHex(opened.message)).toBe(answer.reply.message)
  })
})
