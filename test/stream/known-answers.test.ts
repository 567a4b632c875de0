import { createDecipheriv, createHash, createPrivateKey, privateDecrypt } from "node:crypto"

import { describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { headOpener } from "../../src/envelope/stream.ts"
import { importPrivateKey, importPublicKey } from "../../src/keys/recipient.ts"
import { envelopeOf, findHeadEnd } from "../../src/stream/layout.ts"
import { openedSize, openStream } from "../../src/stream/open-stream.ts"
import { readPieces } from "../../src/stream/pieces.ts"
import { sealBody, sealedSize, streamSealer } from "../../src/stream/seal-stream.ts"
import { collect, CUTS, piecesOf } from "../support/pieces.ts"
import { hex, knownAnswers, publicJwk } from "../support/vectors.ts"

const { file: known, recipient } = knownAnswers
const file = new Uint8Array(Buffer.from(known.file_b64_standard, "base64"))
const plaintext = Uint8Array.from({ length: known.plaintext.length }, (_, i) => i % 251)
const metadata = JSON.parse(Buffer.from(known.metadata, "hex").toString()) as Record<string, unknown>
const head = file.slice(0, findHeadEnd(file))
const [header = "", encryptedKey = "", iv = "", ciphertext = ""] = envelopeOf(head).split(".")
const decode = (text: string): Buffer => Buffer.from(text, "base64url")
/** 24 bytes after the head. */
const salt = file.slice(head.length, head.length + 24)

/** What the envelope of the known file was made with, found by opening it by hand. */
function freshOf(): { seed: Uint8Array<ArrayBuffer>; contentKey: Uint8Array<ArrayBuffer> } {
  const key = createPrivateKey({ key: recipient as never, format: "jwk" })
  const contentKey = privateDecrypt({ key, oaepHash: "sha256" }, decode(encryptedKey))
  const decipher = createDecipheriv("aes-256-gcm", contentKey, decode(iv))
  const opened = decipher.update(decode(ciphertext))
  return { seed: new Uint8Array(opened.subarray(32, 64)), contentKey: new Uint8Array(contentKey) }
}

describe("the known file", () => {
  test("is the one that the vectors say", () => {
    expect(createHash("sha256").update(file).digest("hex")).toBe(known.file_sha256)
    expect(openedSize(file.length, head)).toBe(plaintext.length)
  })

  test.each([node, web])(
    "opens to the stated values on the $name backend, cut in every way",
    async (backend) => {
      const key = await importPrivateKey(recipient, { backend })
      for (const cut of Object.values(CUTS)) {
        const opened = await openStream(piecesOf(file, cut), { with: key, context: hex(known.context) })
        expect(opened.metadata).toEqual(metadata)
        expect(opened.kid).toBe(key.kid)
        expect(opened.signer).toBeUndefined()
        expect(await collect(opened.stream)).toEqual(plaintext)
      }
    },
  )

  test.each([node, web, noble])("is sealed to the same body on the $name backend", async (backend) => {
    const key = await importPrivateKey(recipient)
    const { end } = await headOpener({ with: key })(envelopeOf(head))
    const context = new Uint8Array(createHash("sha256").update(head).digest())
    const body = sealBody({ backend, key: end.key }, context, salt, readPieces(piecesOf(plaintext)))
    expect(await collect(body)).toEqual(file.slice(head.length))
  })

  test.each([node, web, noble])("has the head that is sealed again on the $name backend", async (backend) => {
    const to = await importPublicKey(publicJwk(recipient), { backend })
    const issuedAtSeconds = (JSON.parse(decode(header).toString()) as { iat: number }).iat
    const fresh = { head: { ...freshOf(), iv: new Uint8Array(decode(iv)), issuedAtSeconds }, salt }
    const seal = streamSealer({ to, context: hex(known.context), metadata })
    const sealed = await collect(seal(readPieces(piecesOf(plaintext)), fresh))
    const again = envelopeOf(sealed.slice(0, findHeadEnd(sealed))).split(".")
    // RSA-OAEP is random, and the body depends on all of the head
    expect(again.toSpliced(1, 1)).toEqual(envelopeOf(head).split(".").toSpliced(1, 1))
    expect(sealed).toHaveLength(file.length)
    expect(sealedSize(plaintext.length, { to, metadata })).toBe(file.length)
  })
})
