import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from "node:crypto"

import { describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { openFields } from "../../src/fields/open-fields.ts"
import { sealFieldsTo } from "../../src/fields/seal-fields.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { createReplayGuard, dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { spyStore } from "../support/stores.ts"
import { hex, knownAnswers, publicJwk } from "../support/vectors.ts"

const { document, sealed, outer_context } = knownAnswers.fields
const context = hex(outer_context)
const FIELDS = ["/card/number", "/items/1"]

/** What was random in the known answer, taken out of it with `node:crypto` alone. */
function freshOf(envelope: string) {
  const segments = envelope.split(".")
  const [header = "", encryptedKey = "", iv = "", ciphertext = "", tag = ""] = segments
  const bytes = (segment: string): Uint8Array<ArrayBuffer> =>
    new Uint8Array(Buffer.from(segment, "base64url"))
  const key = createPrivateKey({ key: knownAnswers.recipient as never, format: "jwk" })
  const oaep = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }
  const contentKey = new Uint8Array(privateDecrypt(oaep, bytes(encryptedKey)))
  const decipher = createDecipheriv("aes-256-gcm", contentKey, bytes(iv))
  decipher.setAAD(Buffer.from(header)).setAuthTag(bytes(tag))
  const plaintext = Buffer.concat([decipher.update(bytes(ciphertext)), decipher.final()])
  const { iat } = JSON.parse(Buffer.from(header, "base64url").toString()) as { iat: number }
  return {
    seed: new Uint8Array(plaintext.subarray(32, 64)),
    contentKey,
    iv: bytes(iv),
    issuedAtSeconds: iat,
  }
}

const fresh = freshOf(sealed.$sealed)

describe.each([node, web])("the known answer on the $name backend", (backend) => {
  test.each([
    ["text", JSON.stringify(sealed)],
    ["an object", sealed],
  ])("opens to its values, as %s", async (_, arrived) => {
    const store = spyStore()
    const replay = createReplayGuard({ store, clock: () => fresh.issuedAtSeconds * 1000 })
    const opened = await openFields(arrived, {
      with: await importPrivateKey(knownAnswers.recipient, { backend }),
      context,
      replay,
      mustBeSealed: FIELDS,
    })
    expect(opened.document).toEqual(document)
    expect(opened.sealedPointers).toEqual(FIELDS)
    expect(opened.issuedAt.getTime()).toBe(fresh.issuedAtSeconds * 1000)
    expect(opened.signer).toBeUndefined()
    expect(store.claims).toHaveLength(1)
  })

  test("opens years later where the reader accepts copies, as for stored documents", async () => {
    const reader = await importPrivateKey(knownAnswers.recipient, { backend })
    const options = { with: reader, context, replay: dangerouslyAcceptReplays, mustBeSealed: FIELDS }
    for (let time = 0; time < 2; time++) {
      expect((await openFields(sealed, options)).document).toEqual(document)
    }
    const replay = createReplayGuard({ store: spyStore() })
    await expect(openFields(sealed, { ...options, replay })).rejects.toMatchObject({
      code: "ERR_OPEN_FAILED",
    })
  })

  test("is reproduced from its seed, content key and IV", async () => {
    const to = await importPublicKey(publicJwk(knownAnswers.recipient), { backend })
    const again = await sealFieldsTo(document, { to, context, fields: FIELDS }, fresh)
    const withoutKey = ({ $sealed, ...rest }: { $sealed?: unknown }): unknown[] => [
      ...String($sealed)
        .split(".")
        .filter((_, index) => index !== 1),
      rest,
    ]
    expect(withoutKey(again.document)).toEqual(withoutKey(sealed))
    // RSA-OAEP is random
    expect(again.document["$sealed"]).not.toBe(sealed.$sealed)
  })
})
