import { describe, expect, it } from "vitest"

import { backend } from "#backend"

import { generateKeyPair, seal, type SigningKey } from "../../src/index.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { signStatement } from "../../src/keys/statement.ts"
import { sealOpening } from "../../src/session/handshake.ts"
import { readOffer } from "../../src/session/offer.ts"
import type { SessionTransport } from "../../src/session.ts"
import { createWorld, ORIGIN, serverIdentity, type World } from "../support/session-world.ts"

/** Changes one character in the middle of the last segment. */
function alter(text: string): string {
  const at = text.length - 12
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1)
}

type Payload = Record<string, unknown>

function payloadOf(offer: string): Payload {
  return JSON.parse(Buffer.from(offer.split(".")[1] ?? "", "base64url").toString()) as Payload
}

/** Opens with what the server answered changed on the way. */
function withChanged(
  { transport, open }: World,
  change: { offer?: (text: string) => string | Promise<string>; reply?: (text: string) => string },
) {
  const { offer = (text) => text, reply = (text) => text } = change
  const changed: SessionTransport = {
    offer: async (hello) => offer(await transport.offer(hello)),
    open: async (id, opening) => reply(await transport.open(id, opening)),
  }
  return open({ transport: changed })
}

const untrusted = { code: "ERR_KEYS_UNTRUSTED" }
const openFailed = { code: "ERR_OPEN_FAILED" }

describe("a client refuses an offer", () => {
  const signed =
    (identity: SigningKey, change: (payload: Payload) => object) =>
    (offer: string): Promise<string> =>
      signStatement(identity, "sw1-offer", change(payloadOf(offer)))

  it.each<[string, (payload: Payload) => object, object]>([
    ["for an earlier hello", (p) => ({ ...p, cn: "A".repeat(43) }), untrusted],
    ["for another origin", (p) => ({ ...p, aud: "https://other.example.com" }), untrusted],
    ["that ends before it begins", (p) => ({ ...p, exp: p["iat"] }), untrusted],
    ["that lives for longer than a week", (p) => ({ ...p, exp: Number(p["iat"]) + 604_801 }), untrusted],
    ["that idles for longer than it lives", (p) => ({ ...p, idle: 3601 }), untrusted],
    ["with no idle time", (p) => ({ ...p, idle: 0 }), untrusted],
    ["from yesterday", (p) => shifted(p, -86_402), untrusted],
    ["from tomorrow", (p) => shifted(p, 86_402), untrusted],
    ["with a time that is no whole number", (p) => ({ ...p, iat: Number(p["iat"]) + 0.5 }), untrusted],
    ["with a further member", (p) => ({ ...p, more: 1 }), untrusted],
    ["without a member", ({ wrap: _, ...p }) => p, untrusted],
    ["with a mode that is none", (p) => ({ ...p, wrap: "never" }), untrusted],
    ["with an id that is none", (p) => ({ ...p, sid: "A".repeat(21) }), untrusted],
    ["with an id that is not canonical", (p) => ({ ...p, sid: `${"A".repeat(21)}B` }), untrusted],
    [
      "with a further member of the key",
      (p) => ({ ...p, jwk: { ...(p["jwk"] as object), alg: "x" } }),
      untrusted,
    ],
    ["with exponent 3", (p) => ({ ...p, jwk: { ...(p["jwk"] as object), e: "Aw" } }), { code: "ERR_KEY" }],
    [
      "with a short modulus",
      (p) => ({ ...p, jwk: { e: "AQAB", kty: "RSA", n: "_".repeat(171) } }),
      { code: "ERR_KEY" },
    ],
  ])("%s, though a pinned identity signed it", async (_, change, refusal) => {
    const identity = await serverIdentity()
    const opening = withChanged(await createWorld(), { offer: signed(identity, change) })
    await expect(opening).rejects.toMatchObject(refusal)
  })

  const shifted = (payload: Payload, seconds: number): object => ({
    ...payload,
    iat: Number(payload["iat"]) + seconds,
    exp: Number(payload["exp"]) + seconds,
  })

  it("by an identity that is not pinned, whatever it says", async () => {
    const { signingKey } = await generateSigningKeyPair()
    const opening = withChanged(await createWorld(), { offer: signed(signingKey, (payload) => payload) })
    await expect(opening).rejects.toMatchObject(untrusted)
  })

  it("that is altered, empty, too long, or a key directory", async () => {
    const identity = await serverIdentity()
    const directory = (text: string) => signStatement(identity, "sw1-keys", payloadOf(text))
    for (const offer of [alter, () => "", (text: string) => `${text}${"A".repeat(5000)}`, directory]) {
      await expect(withChanged(await createWorld(), { offer })).rejects.toMatchObject(untrusted)
    }
  })

  it("that is no text: the transport's mistake, as with a confirmation", async () => {
    const { transport, open } = await createWorld()
    for (const member of ["offer", "open"] as const) {
      for (const given of [undefined, 5, new Uint8Array(4)]) {
        const broken = { ...transport, [member]: async () => given as never }
        await expect(open({ transport: broken })).rejects.toThrow(
          `options.transport.${member} must give a string`,
        )
      }
    }
  })

  it("that was held back until it had run out", async () => {
    const world = await createWorld()
    const held = (text: string): string => {
      world.now.advance(60_001)
      return text
    }
    await expect(withChanged(world, { offer: held })).rejects.toMatchObject({ code: "ERR_TIMEOUT" })
  })
})

describe("each message of the handshake", () => {
  it("dropped: nothing is open, and another try opens", async () => {
    const { transport, open, sessions } = await createWorld()
    const lost = (): Promise<never> => Promise.reject(new Error("lost"))
    await expect(open({ transport: { ...transport, offer: lost } })).rejects.toThrow("lost")
    await expect(open({ transport: { ...transport, open: lost } })).rejects.toThrow("lost")
    expect(await sessions.list()).toEqual([])
    await open()
  })

  it("the confirmation dropped: the client has no session, the server one that nobody can speak in", async () => {
    const { transport, open, sessions, now } = await createWorld({ idleSeconds: 100 })
    const answered = async (id: string, opening: string): Promise<never> => {
      await transport.open(id, opening)
      throw new Error("lost")
    }
    await expect(open({ transport: { ...transport, open: answered } })).rejects.toThrow("lost")
    expect(await sessions.list()).toHaveLength(1)
    now.advance(100_000)
    expect(await sessions.list()).toEqual([])
  })

  it("repeated: a hello gives another offer, an opening is refused", async () => {
    const { transport, open } = await createWorld()
    const hellos: string[] = []
    const openings: [string, string][] = []
    await open({
      transport: {
        offer: (hello) => transport.offer(hello).finally(() => hellos.push(hello)),
        open: (id, opening) => transport.open(id, opening).finally(() => openings.push([id, opening])),
      },
    })
    const again = await transport.offer(hellos[0] ?? "")
    const [id, opening] = openings[0] ?? ["", ""]
    expect(payloadOf(again)["sid"]).not.toBe(id)
    await expect(transport.open(id, opening)).rejects.toMatchObject({ code: "ERR_NO_SESSION" })
  })

  it("swapped: offers, openings and confirmations belong to one handshake", async () => {
    const { transport, open } = await createWorld()
    const others = await serverOffer(transport)
    await expect(
      open({ transport: { ...transport, offer: () => Promise.resolve(others) } }),
    ).rejects.toMatchObject(untrusted)
    const otherId = String(payloadOf(others)["sid"])
    const swapped = (_: string, opening: string) => transport.open(otherId, opening)
    await expect(open({ transport: { ...transport, open: swapped } })).rejects.toMatchObject(openFailed)
    const replies: string[] = []
    await open({
      transport: {
        ...transport,
        open: async (id, o) => replies[replies.push(await transport.open(id, o)) - 1] ?? "",
      },
    })
    const replayed = { ...transport, open: () => Promise.resolve(replies[0] ?? "") }
    await expect(open({ transport: replayed })).rejects.toMatchObject(openFailed)
  })

  it("delayed: an opening that comes late is refused, by its age or by the offer's", async () => {
    const { transport, open, now } = await createWorld()
    const late = (id: string, opening: string) => {
      now.advance(61_002)
      return transport.open(id, opening)
    }
    await expect(open({ transport: { ...transport, open: late } })).rejects.toMatchObject({
      code: "ERR_NO_SESSION",
    })
  })

  it("altered: refused, and the offer still opens", async () => {
    const world = await createWorld()
    const { transport, open, sessions } = world
    let refused: unknown
    const session = await open({
      transport: {
        ...transport,
        async open(id, opening) {
          refused = await transport.open(id, alter(opening)).catch((error: unknown) => error)
          return transport.open(id, opening)
        },
      },
    })
    expect(refused).toMatchObject(openFailed)
    expect(await sessions.list()).toMatchObject([{ id: session.id }])
    await expect(withChanged(world, { reply: alter })).rejects.toMatchObject(openFailed)
  })
})

async function serverOffer(transport: SessionTransport): Promise<string> {
  return transport.offer(`{"cn":"${"B".repeat(42)}A"}`)
}

describe("a server refuses an opening", () => {
  it("whose message names another session, though it is sealed to the right key for the right offer", async () => {
    const { transport, sessions, terms, pins } = await createWorld()
    const challenge = `${"B".repeat(42)}A`
    const text = await serverOffer(transport)
    const reading = { pins, origin: ORIGIN, challenge, nowSeconds: Math.floor(Date.now() / 1000) }
    const { offer } = await readOffer(backend, text, reading)
    const { envelope } = await sealOpening({ ...offer, sessionId: "A".repeat(22) }, text, undefined)
    await expect(sessions.open(offer.sessionId, envelope, terms)).rejects.toMatchObject(openFailed)
    const genuine = await sealOpening(offer, text, undefined)
    await sessions.open(offer.sessionId, genuine.envelope, terms)
  })

  it("with another session's id inside, or to another key, before and after the key is used", async () => {
    const { transport, sessions, terms } = await createWorld()
    const offer = await serverOffer(transport)
    const { sid } = payloadOf(offer) as { sid: string }
    const { publicKey } = await generateKeyPair({ modulusBits: 2048 })
    const elsewhere = await seal(`{"sid":"${sid}"}`, { to: publicKey, context: offer })
    await expect(sessions.open(sid, elsewhere, terms)).rejects.toMatchObject(openFailed)
    for (const junk of ["", ".", "....", "a.b.c.d.e", ".".repeat(1_000_000)]) {
      await expect(sessions.open(sid, junk, terms)).rejects.toMatchObject(openFailed)
    }
  })

  it("without a signature where one is required, and the offer still opens", async () => {
    const { sessions, open, terms, transport } = await createWorld()
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const strict = (id: string, opening: string) =>
      sessions.open(id, opening, { ...terms, signedBy: verifyingKey })
    await expect(open({ transport: { ...transport, open: strict } })).rejects.toMatchObject(openFailed)
    const session = await open({ transport: { ...transport, open: strict }, signWith: signingKey })
    expect(session.id).toHaveLength(22)
  })

  it.each(["", "AAAA", "../../etc", "A".repeat(1_000_000), "A".repeat(22)])(
    "of a session that it never offered: %#",
    async (id) => {
      const { sessions, terms } = await createWorld()
      await expect(sessions.open(id, "....", terms)).rejects.toMatchObject({ code: "ERR_NO_SESSION" })
    },
  )
})

it("nothing of a session's secrets shows when it is logged", async () => {
  const { open, sessions } = await createWorld()
  const session = await open()
  const { inspect } = await import("node:util")
  const shown = inspect([session, sessions], { depth: 20, showHidden: true })
  expect(shown).toContain(session.id)
  expect(shown).not.toMatch(/secret|privateKey/i)
})
