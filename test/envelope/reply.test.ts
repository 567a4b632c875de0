import { randomBytes } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import { noble } from "../../src/crypto/noble.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { replyOpener } from "../../src/envelope/open-reply.ts"
import { sealRequest } from "../../src/envelope/seal.ts"
import { OpenedReply } from "../../src/envelope/opened.ts"
import { open } from "../../src/envelope/open.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { b64u, forge, forgeReply, MESSAGE, type Parts, SEED } from "../support/forge.ts"
import { createReader, errorOf, openNow, type Reader } from "../support/reader.ts"
import { expectNoSecret } from "../support/secrets.ts"

const REQUEST = forge()
const REPLY_SEED = Buffer.alloc(32, 0x33)
const forgeOther = (wrong: Partial<Parts> = {}): string =>
  forgeReply(REQUEST, SEED, { seed: REPLY_SEED, ...wrong })

const reencode =
  (at: number, change: (bytes: Buffer) => Uint8Array) =>
  (right: string[]): string[] =>
    right.with(at, b64u(change(Buffer.from(right[at] ?? "", "base64url"))))

describe.each([node, web, noble])("replies on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })
  const opener = (): ReturnType<typeof replyOpener> =>
    replyOpener({ backend, envelope: REQUEST, seed: new Uint8Array(SEED), kid: reader.key.kid })

  test("go there and back", async () => {
    const { envelope, openReply } = await sealRequest("balance?", {
      to: reader.key.publicKey,
      context: "bank",
    })
    const opened = await open(envelope, {
      with: reader.key,
      context: "bank",
      replay: dangerouslyAcceptReplays,
    })
    const reply = await openReply(await opened.reply('{"balance":120}'))
    expect(reply).toBeInstanceOf(OpenedReply)
    expect(reply.json()).toEqual({ balance: 120 })
    expect(reply.kid).toBe(reader.key.kid)
    expect("signer" in reply || "reply" in reply).toBe(false)
  })

  test("are opened once, the first of them, also when two come at the same time", async () => {
    const openReply = await opener()
    const outcomes = await Promise.allSettled([
      openReply(forgeOther()),
      openReply(forgeOther({ seed: randomBytes(32) })),
    ])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"])
    expect(await errorOf(openReply(forgeOther()))).toMatchObject({ code: "ERR_REPLAYED" })
  })

  test("are still awaited after a forged one", async () => {
    const openReply = await opener()
    for (let i = 0; i < 3; i++) await errorOf(openReply(forgeOther({ digest: () => Buffer.alloc(32) })))
    expect((await openReply(forgeOther({ message: "the real one" }))).text()).toBe("the real one")
  })

  test("are opened however late they come, as their request bounds them", async () => {
    for (const issuedAtSeconds of [1_000_000_000, 9_999_999_999]) {
      expect((await (await opener())(forgeOther({ issuedAtSeconds }))).text()).toBe(MESSAGE)
    }
  })

  test.each<[name: string, reply: () => string]>([
    ["the request itself", () => REQUEST],
    ["another request", () => forge({ seed: REPLY_SEED })],
    ["a reply to another request", () => forgeReply(forge({ seed: REPLY_SEED }), REPLY_SEED)],
    ["a reply by one who does not know the seed", () => forgeReply(REQUEST, REPLY_SEED)],
    ["a reply to the same message sealed again", () => forgeReply(forge({ iv: Buffer.alloc(12, 1) }), SEED)],
    ["a reply whose context is empty", () => forgeOther({ context: "" })],
    ["a reply whose context is another envelope", () => forgeOther({ context: forge({ seed: REPLY_SEED }) })],
    ["a reply with the key name of another", () => forgeOther({ members: { kid: "A".repeat(43) } })],
    ["a reply with the name of a session", () => forgeOther({ members: { kid: "A".repeat(22) } })],
    ["a reply of type sw1", () => forgeOther({ members: { typ: "sw1" } })],
    ["a reply of type sw1-session", () => forgeOther({ members: { typ: "sw1-session" } })],
    ["a reply with alg RSA-OAEP-256", () => forgeOther({ members: { alg: "RSA-OAEP-256" } })],
    ["a reply with an encrypted key", () => forgeOther({ encryptedKey: () => Buffer.alloc(256) })],
    ["a reply with a nonce of its own", () => forgeOther({ members: { jti: "A".repeat(22) } })],
    ["a reply with a wrong digest", () => forgeOther({ digest: () => Buffer.alloc(32) })],
    ["a reply with a signature that is none", () => forgeOther({ signature: () => "signature" })],
    [
      "a reply with a bit of its message flipped",
      () => forgeOther({ segments: reencode(3, (bytes) => bytes.fill(0, 70, 71)) }),
    ],
    [
      "a reply with a bit of its tag flipped",
      () => forgeOther({ segments: reencode(4, (bytes) => bytes.fill(0, 0, 1)) }),
    ],
    ["a reply cut short", () => forgeOther().slice(0, -1)],
    ["nothing", () => ""],
    ["four dots", () => "...."],
    ["HTML", () => "<!doctype html><title>502 Bad Gateway</title>"],
  ])("are not: %s", async (_, reply) => {
    const error = await errorOf((await opener())(reply()))
    expect(error).toMatchObject({
      code: "ERR_OPEN_FAILED",
      message: "not an envelope that this reader can open",
    })
    expect(error).not.toHaveProperty("cause")
    expectNoSecret(error, [SEED, REPLY_SEED, MESSAGE])
  })

  test.each([undefined, null, 5, {}, new Uint8Array(5), Symbol("reply")])("are not %s", async (reply) => {
    expect(await errorOf((await opener())(reply as string))).toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  test("bind to the request to the last bit: none opens for a request that was changed on its way", async () => {
    const { reply } = { reply: await (await openNow(reader, REQUEST)).reply("x") }
    const changed = forge({ contentKey: randomBytes(32) })
    const end = { backend, envelope: changed, seed: new Uint8Array(SEED), kid: reader.key.kid }
    expect(await errorOf((await replyOpener(end))(reply))).toMatchObject({ code: "ERR_OPEN_FAILED" })
    expect((await (await opener())(reply)).text()).toBe("x")
  })

  test("differ each time, in nonce, IV and all", async () => {
    const opened = await openNow(reader, REQUEST)
    const replies = await Promise.all(Array.from({ length: 10 }, () => opened.reply("same")))
    const parts = replies.flatMap((reply) => reply.split(".").filter((_, at) => at !== 1))
    expect(new Set(parts).size).toBe(40)
  })

  test("take text and bytes, copied at once, and nothing else", async () => {
    const opened = await openNow(reader, REQUEST)
    const bytes = Buffer.from("first")
    const replying = opened.reply(bytes)
    bytes.write("other")
    expect((await (await opener())(await replying)).text()).toBe("first")
    for (const message of [undefined, 5, {}, "\ud800"]) {
      expect(await errorOf((async () => opened.reply(message as string))())).toBeInstanceOf(TypeError)
    }
    expect(await errorOf(opened.reply(Buffer.alloc(16 * 1024 * 1024 + 1)))).toMatchObject({
      code: "ERR_TOO_LARGE",
    })
  })
})
