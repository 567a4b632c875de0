import { describe, expect, it } from "vitest"

import { backend } from "#backend"

import { encodeAscii } from "../../src/base/text.ts"
import { contextHashOf, contextOf } from "../../src/envelope/context.ts"
import { claimIdOf } from "../../src/envelope/digest.ts"
import { readEnvelope, type SelectedKey } from "../../src/envelope/read.ts"
import { signerReader } from "../../src/envelope/signer.ts"
import { keySelector } from "../../src/envelope/reader.ts"
import { importPrivateKey, importSigningKey } from "../../src/keys.ts"
import { openingMessage, sealOpening } from "../../src/session/handshake.ts"
import { sealInSession } from "../../src/session/message.ts"
import { readOffer, signOffer } from "../../src/session/offer.ts"
import { eachContextHash, SecretBytes, sessionSecretOf } from "../../src/session/secret.ts"
import { hex, knownAnswers, toHex } from "../support/vectors.ts"

const { session } = knownAnswers
const challenge = "SR7gI3NXWpHVe8I2AUJnsSLAADcUgHOsLCEfbM4JZxg"
const origin = "https://api.example.com"
const pins = ["1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y"]
const terms = { pins, origin, challenge, nowSeconds: 1_767_225_600 }

const readKnownOffer = async () => (await readOffer(backend, session.offer, terms)).offer
const secret = (): SecretBytes => new SecretBytes(backend, hex(session.secret))

const readSigner = signerReader({ signatureRequired: false, findSigner: () => undefined })
const reading = { readSigner, isNear: () => true, maxMessageBytes: 4096 }
const httpContext = () => contextHashOf(backend, hex(session.context))

async function rsaKey(): Promise<SelectedKey | undefined> {
  const key = await importPrivateKey(knownAnswers.recipient)
  return keySelector(key)(key.kid)
}

/** What is the same in two envelopes with one seed: the parts that follow from the header. */
const headerOf = (envelope: string): string | undefined => envelope.split(".")[0]

describe("the known answers of sessions", () => {
  it("the offer is read, and signed to the same bytes", async () => {
    const offer = await readKnownOffer()
    expect(offer).toMatchObject({
      origin,
      challenge,
      issuedAtSeconds: 1_767_225_600,
      expiresAtSeconds: 1_767_229_200,
      idleSeconds: 900,
      sessionId: session.sid,
      wrap: "once",
    })
    const identity = await importSigningKey(knownAnswers.signer)
    expect(await signOffer(identity, offer)).toBe(session.offer)
  })

  it("the opening opens with the offer as its context, and gives the secret", async () => {
    const authentic = await readEnvelope(session.opening, {
      ...reading,
      type: "sw1-open",
      select: rsaKey,
      contextHash: () => contextHashOf(backend, encodeAscii(session.offer)),
    })
    expect(new TextDecoder().decode(authentic.message)).toBe(openingMessage(session.sid))
    expect(toHex(authentic.seed)).toBe(session.opening_seed)
    const end = { backend, envelope: session.opening, seed: authentic.seed, kid: authentic.header.kid }
    expect(toHex((await sessionSecretOf(end)).bytes ?? new Uint8Array())).toBe(session.secret)
  })

  it("the opening is sealed with the same header for the same seed", async () => {
    const fresh = { seed: hex(session.opening_seed), issuedAtSeconds: 1_767_225_601 }
    const { envelope } = await sealOpening(await readKnownOffer(), session.offer, undefined, fresh)
    expect(headerOf(envelope)).toBe(headerOf(session.opening))
  })

  it("the message is sealed to the same bytes, and claimed by the session's id", async () => {
    const { envelope, seed, plaintext, claim_id } = session.message
    const key = (await readKnownOffer()).key
    const end = { backend, sessionId: session.sid, wrap: "once", key, secret: secret() } as const
    const iv = new Uint8Array(Buffer.from(envelope.split(".")[2] ?? "", "base64url"))
    const given = { seed: hex(seed), iv, issuedAtSeconds: 1_767_225_602 }
    const context = contextOf(hex(session.context))
    const sealed = await sealInSession(end, { message: hex(plaintext), context }, given)
    expect(sealed.envelope).toBe(envelope)
    const id = "KfXaC1AQFw186ZN9Lszhog"
    expect(await claimIdOf(backend, session.sid, id)).toBe(claim_id)
  })

  it.each([
    ["message", "sw1-session", session.message.envelope, session.message.plaintext],
    ["channel", "sw1-channel", session.channel.envelope, undefined],
  ] as const)("the %s opens under the secret", async (use, type, envelope, plaintext) => {
    const own = secret()
    const authentic = await readEnvelope(envelope, {
      ...reading,
      type,
      contextHash: httpContext,
      select: (kid) =>
        kid === session.sid
          ? {
              backend,
              encryptedKeyBytes: 0,
              madeAtMs: undefined,
              contentKey: (_, nonce) => own.expand(use, nonce),
            }
          : undefined,
    })
    if (plaintext !== undefined) expect(toHex(authentic.message)).toBe(plaintext)
    else expect(authentic.message.length).toBeGreaterThan(0)
  })

  it("the message of mode each opens with a context that only the secret makes", async () => {
    const { envelope, plaintext } = session.each
    const key = await rsaKey()
    const read = (own: SecretBytes) =>
      readEnvelope(envelope, {
        ...reading,
        type: "sw1",
        contextHash: httpContext,
        select: () =>
          key && {
            ...key,
            session: {
              id: session.sid,
              opener: undefined,
              contextHash: (nonce) => eachContextHash(backend, own, hex(session.context), nonce),
              touch: () => undefined,
            },
          },
      })
    expect(toHex((await read(secret())).message)).toBe(plaintext)
    const other = new SecretBytes(backend, new Uint8Array(32))
    await expect(read(other)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })
})
