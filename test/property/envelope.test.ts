import { randomBytes } from "node:crypto"

import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"

import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { seal, sealRequest } from "../../src/envelope/seal.ts"
import { replyOpener } from "../../src/envelope/open-reply.ts"
import type { PrivateKey, SigningKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { importSigningKey } from "../../src/keys/signer.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { forge, forgeReply } from "../support/forge.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { knownAnswers } from "../support/vectors.ts"

const content = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 5000 }), fc.string())
const toBytes = (value: string | Uint8Array): Buffer => Buffer.from(value as string)

describe.each([node, web])("for all messages on the $name backend", (backend) => {
  let key: PrivateKey
  let signers: SigningKey[]
  beforeAll(async () => {
    key = await importPrivateKey(knownAnswers.recipient, { backend })
    signers = await Promise.all(
      [knownAnswers.signer, knownAnswers.signer_es256].map((jwk) => importSigningKey(jwk, { backend })),
    )
  })

  test("what is sealed is opened: message, context and signer", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        content,
        fc.constantFrom(undefined, 0, 1),
        async (message, context, signer) => {
          const signWith = signer === undefined ? undefined : signers[signer]
          const envelope = await seal(message, {
            to: key.publicKey,
            context,
            ...(signWith ? { signWith } : {}),
          })
          const opened = await open(envelope, {
            with: key,
            context,
            replay: dangerouslyAcceptReplays,
            ...(signWith
              ? { signedBy: signWith.verifyingKey }
              : { knownSigners: signers.map((each) => each.verifyingKey) }),
          })
          expect(Buffer.from(opened.message)).toEqual(toBytes(message))
          expect(opened.signer).toBe(signWith?.kid)
        },
      ),
      runs(60),
    )
  })

  test("what the second implementation seals is opened", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        content,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        async (message, context, seed) => {
          const opened = await open(forge({ message, context, seed }), {
            with: key,
            context,
            replay: dangerouslyAcceptReplays,
          })
          expect(Buffer.from(opened.message)).toEqual(toBytes(message))
        },
      ),
      runs(40),
    )
  })

  test("no envelope opens for another context", { timeout: TIMEOUT_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(content, content, async (context, other) => {
        fc.pre(!toBytes(context).equals(toBytes(other)))
        const opening = open(forge({ context }), {
          with: key,
          context: other,
          replay: dangerouslyAcceptReplays,
        })
        await expect(opening).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(40),
    )
  })

  test(
    "what is answered is opened, and only as the answer to that request",
    { timeout: TIMEOUT_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(content, content, async (question, answer) => {
          const [asked, other] = await Promise.all([
            sealRequest(question, { to: key.publicKey }),
            sealRequest(question, { to: key.publicKey }),
          ])
          const opened = await open(asked.envelope, { with: key, replay: dangerouslyAcceptReplays })
          const reply = await opened.reply(answer)
          await expect(other.openReply(reply)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
          expect(Buffer.from((await asked.openReply(reply)).message)).toEqual(toBytes(answer))
          await expect(asked.openReply(reply)).rejects.toMatchObject({ code: "ERR_REPLAYED" })
        }),
        runs(20),
      )
    },
  )
})

/** One change to a text: any character put in place of another, added, taken away, or exchanged with a neighbour. */
const change = fc.record({
  kind: fc.constantFrom("substitute", "insert", "delete", "swap", "move dot"),
  place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  character: fc.oneof(
    fc.constantFrom(
      ...Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0"),
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
})

function apply(
  text: string,
  { kind, place, character }: typeof change extends fc.Arbitrary<infer T> ? T : never,
): string {
  const at = Math.floor(place * text.length)
  if (kind === "substitute") return text.slice(0, at) + character + text.slice(at + 1)
  if (kind === "insert") return text.slice(0, at) + character + text.slice(at)
  if (kind === "delete") return text.slice(0, at) + text.slice(at + 1)
  if (kind === "swap") return text.slice(0, at) + (text[at + 1] ?? "") + (text[at] ?? "") + text.slice(at + 2)
  const dot = text.indexOf(".", at)
  return dot < 1 ? text.slice(1) : `${text.slice(0, dot - 1)}.${text[dot - 1] ?? ""}${text.slice(dot + 1)}`
}

describe.each([node, web])("any single change on the $name backend", (backend) => {
  let key: PrivateKey
  beforeAll(async () => {
    key = await importPrivateKey(knownAnswers.recipient, { backend })
  })

  test("to an envelope is refused", { timeout: TIMEOUT_MS }, async () => {
    const envelope = forge()
    await expect(open(envelope, { with: key, replay: dangerouslyAcceptReplays })).resolves.toBeDefined()
    await fc.assert(
      fc.asyncProperty(change, async (each) => {
        const changed = apply(envelope, each)
        fc.pre(changed !== envelope)
        const opening = open(changed, { with: key, replay: dangerouslyAcceptReplays })
        await expect(opening).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(500),
    )
  })

  test("to a reply is refused", { timeout: TIMEOUT_MS }, async () => {
    const seed = new Uint8Array(32).fill(1)
    const request = forge({ seed })
    const reply = forgeReply(request, seed, { seed: randomBytes(32) })
    const opener = (): ReturnType<typeof replyOpener> =>
      replyOpener({ backend, envelope: request, seed, kid: key.kid })
    await expect((await opener())(reply)).resolves.toBeDefined()
    await fc.assert(
      fc.asyncProperty(change, async (each) => {
        const changed = apply(reply, each)
        fc.pre(changed !== reply)
        await expect((await opener())(changed)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
      }),
      runs(500),
    )
  })
})

test(
  "every substitution by a neighbour in the alphabet is refused, at every place",
  { timeout: TIMEOUT_MS },
  async () => {
    const key = await importPrivateKey(knownAnswers.recipient)
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    const envelope = forge({ message: "short" })
    for (let at = 0; at < envelope.length; at++) {
      const next = alphabet[(alphabet.indexOf(envelope[at] ?? "") + 1) % alphabet.length] ?? ""
      const changed = envelope.slice(0, at) + next + envelope.slice(at + 1)
      await expect(open(changed, { with: key, replay: dangerouslyAcceptReplays })).rejects.toMatchObject({
        code: "ERR_OPEN_FAILED",
      })
    }
  },
)
