import { describe, expect, it } from "vitest"

import { createReplayGuard, memoryStore } from "../../src/index.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import {
  createSessions,
  memorySessionStore,
  type SessionsOptions,
  type SessionStore,
} from "../../src/session.ts"
import { sharedStore } from "../support/shared-session-store.ts"
import { createWorld, endlessPool, ORIGIN, serverIdentity, type World } from "../support/session-world.ts"

const recordKey = crypto.getRandomValues(new Uint8Array(32))

/** Where sessions are kept, and how keys are wrapped: all of it must look the same to a client. */
const KINDS: Readonly<Record<string, () => Partial<SessionsOptions>>> = {
  "in memory, mode once": () => ({ wrap: "once" }),
  "in memory, mode each": () => ({ wrap: "each" }),
  "shared, mode once": () => ({ wrap: "once", store: sharedStore(), recordKeys: [recordKey] }),
  "shared, mode each": () => ({ wrap: "each", store: sharedStore(), recordKeys: [recordKey] }),
}

const noSession = { code: "ERR_NO_SESSION" }

describe.each(Object.entries(KINDS))("a session %s", (_, options) => {
  const world = (more: Partial<SessionsOptions> = {}): Promise<World> =>
    createWorld({ ...options(), ...more })

  it("opens, carries messages and their replies, and tells which session it is", async () => {
    const { open, sessions, terms } = await world()
    const session = await open()
    const { envelope, openReply } = await session.sealRequest("balance?", { context: "accounts" })
    const opened = await sessions.openMessage(envelope, { ...terms, context: "accounts" })
    expect(opened.text()).toBe("balance?")
    expect(opened.session).toBe(session.id)
    expect(opened.signer).toBeUndefined()
    const reply = await openReply(await opened.reply("120"))
    expect(reply.text()).toBe("120")
  })

  it("takes each message once, and only for its context and origin", async () => {
    const { open, sessions, terms } = await world()
    const session = await open()
    const envelope = await session.seal("a", { context: "x" })
    const openFailed = { code: "ERR_OPEN_FAILED" }
    await expect(sessions.openMessage(envelope, { ...terms, context: "y" })).rejects.toMatchObject(openFailed)
    const elsewhere = { ...terms, origin: "https://other.example.com", context: "x" }
    await expect(sessions.openMessage(envelope, elsewhere)).rejects.toMatchObject(noSession)
    expect((await sessions.openMessage(envelope, { ...terms, context: "x" })).text()).toBe("a")
    const again = sessions.openMessage(envelope, { ...terms, context: "x" })
    await expect(again).rejects.toMatchObject({ code: "ERR_REPLAYED" })
  })

  it("belongs to who signed the opening", async () => {
    const { open, sessions, terms } = await world()
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const transport = {
      offer: (hello: string) => sessions.offer(hello, { origin: ORIGIN }),
      open: (id: string, opening: string) => sessions.open(id, opening, { ...terms, signedBy: verifyingKey }),
    }
    const session = await open({ signWith: signingKey, transport })
    const opened = await sessions.openMessage(await session.seal("a"), { ...terms, signedBy: verifyingKey })
    expect(opened.signer).toBe(signingKey.kid)
    expect(await sessions.list(signingKey.kid)).toMatchObject([{ id: session.id, principal: signingKey.kid }])
    expect(await sessions.endAll(signingKey.kid)).toBe(1)
    await expect(sessions.openMessage(await session.seal("b"), terms)).rejects.toMatchObject(noSession)
  })

  it("is nobody's without a signature, and ends for nobody: names that are none end nothing", async () => {
    const { open, sessions } = await world()
    const { id } = await open()
    const { verifyingKey } = await generateSigningKeyPair()
    const isNone = /^principal must be the thumbprint of a signing key, not /
    for (const principal of [null, "", "x", "A".repeat(44), {}, verifyingKey] as string[]) {
      await expect(sessions.endAll(principal)).rejects.toThrow(isNone)
      await expect(sessions.list(principal)).rejects.toThrow(isNone)
    }
    await expect(sessions.endAll(undefined as never)).rejects.toThrow(isNone)
    for (const wrong of ["", "x", `${id}x`, "'; DROP TABLE x"]) expect(await sessions.end(wrong)).toBe(false)
    await expect(sessions.end(undefined as never)).rejects.toThrow("id must be a string, not undefined")
    expect(await sessions.endAll("A".repeat(43))).toBe(0)
    expect(await sessions.list()).toHaveLength(1)
  })

  it("that nobody signed does not pass where a signature is demanded", async () => {
    const { open, sessions, terms } = await world()
    const { verifyingKey } = await generateSigningKeyPair()
    const envelope = await (await open()).seal("a")
    const strict = sessions.openMessage(envelope, { ...terms, signedBy: verifyingKey })
    await expect(strict).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
  })

  it("ends at its expiry, to the second", async () => {
    const { open, now, read } = await world({ lifetimeSeconds: 300, idleSeconds: 300 })
    now.set(Math.ceil(now() / 1000) * 1000)
    const session = await open()
    now.advance(150_000)
    expect(await read(await session.seal("half"))).toBe("half")
    now.advance(149_000)
    expect(await read(await session.seal("almost"))).toBe("almost")
    const last = await session.seal("late")
    now.advance(2000)
    await expect(read(last)).rejects.toMatchObject(noSession)
    await expect(session.seal("x")).rejects.toMatchObject(noSession)
  })

  it("ends after its idle time, which each message starts anew, to the second", async () => {
    const { open, now, read } = await world({ idleSeconds: 100 })
    const session = await open()
    for (let i = 0; i < 5; i++) {
      now.advance(99_000)
      expect(await read(await session.seal("a"))).toBe("a")
    }
    now.advance(101_000)
    await expect(read(await session.seal("a"))).rejects.toMatchObject(noSession)
  })

  it("ends at logout, and nothing brings it back", async () => {
    const { open, sessions, read } = await world()
    const session = await open()
    expect(await sessions.end(session.id)).toBe(true)
    await expect(read(await session.seal("a"))).rejects.toMatchObject(noSession)
    expect(await sessions.end(session.id)).toBe(false)
    expect(await sessions.list()).toEqual([])
  })

  it("outlives messages that fail, and they do not keep it alive", async () => {
    const { open, now, read } = await world({ idleSeconds: 100 })
    const session = await open()
    const genuine = await session.seal("a")
    const broken = genuine.slice(0, -30) + (genuine.at(-30) === "A" ? "B" : "A") + genuine.slice(-29)
    for (let i = 0; i < 20; i++) {
      await expect(read(broken)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    }
    now.advance(99_000)
    await expect(read(broken)).rejects.toMatchObject({ code: "ERR_OPEN_FAILED" })
    now.advance(2000)
    await expect(read(genuine)).rejects.toMatchObject(noSession)
  })

  it("opens once, however many openings race", async () => {
    const { sessions, open, terms, read } = await world()
    const outcomes: unknown[] = []
    const session = await open({
      transport: {
        offer: (hello) => sessions.offer(hello, { origin: ORIGIN }),
        async open(id, opening) {
          const racing = Array.from({ length: 20 }, () => sessions.open(id, opening, terms))
          const settled = await Promise.allSettled(racing)
          for (const each of settled) outcomes.push(each.status === "rejected" && (each.reason as Error).name)
          const won = settled.find((each) => each.status === "fulfilled")
          return won?.value ?? ""
        },
      },
    })
    expect(outcomes.filter((failed) => failed === false)).toHaveLength(1)
    expect(await read(await session.seal("a"))).toBe("a")
  })

  it("is refused with 503 where the table is full, and no live one goes", async () => {
    const { open, read } = await world({ maxSessions: 2 })
    const [first, second] = [await open(), await open()]
    await expect(open()).rejects.toMatchObject({
      code: "ERR_STORE_FULL",
      retryAfterSeconds: expect.any(Number),
    })
    expect(await read(await first.seal("a"))).toBe("a")
    expect(await read(await second.seal("b"))).toBe("b")
  })
})

describe("offers", () => {
  it("wait for 60 s, and no longer", async () => {
    const { now, sessions, open, terms } = await createWorld()
    now.set(Math.ceil(now() / 1000) * 1000)
    const late = (waitMs: number) =>
      open({
        transport: {
          offer: (hello) => sessions.offer(hello, { origin: ORIGIN }),
          open(id, opening) {
            now.advance(waitMs)
            return sessions.open(id, opening, terms)
          },
        },
      })
    expect((await late(60_000)).id).toHaveLength(22)
    await expect(late(61_000)).rejects.toMatchObject(noSession)
  })

  it("are bounded, give their key back when they are refused, and make room when they run out", async () => {
    const keyPool = await endlessPool()
    const { sessions, now } = await createWorld({ maxPendingOffers: 2, keyPool })
    const hello = `{"cn":"${"A".repeat(43)}"}`
    const ask = () => sessions.offer(hello, { origin: ORIGIN })
    await ask()
    await ask()
    await expect(ask()).rejects.toMatchObject({ code: "ERR_STORE_FULL" })
    expect(keyPool.taken()).toBe(2)
    now.advance(61_001)
    await ask()
  })

  it("have ids of the server's, each time another", async () => {
    const { open } = await createWorld()
    const ids = new Set<string>()
    for (let i = 0; i < 20; i++) ids.add((await open()).id)
    expect(ids.size).toBe(20)
  })

  it.each(["", "{}", '{"cn":"short"}', `{"cn":"${"A".repeat(43)}","x":1}`, `{ "cn":"${"A".repeat(43)}"}`])(
    "are not made for %j",
    async (hello) => {
      const { sessions } = await createWorld()
      await expect(sessions.offer(hello, { origin: ORIGIN })).rejects.toMatchObject({
        code: "ERR_OPEN_FAILED",
      })
    },
  )
})

describe("records in a shared store", () => {
  it("hold nothing of the session in clear, and open under an older key after a rotation", async () => {
    const store = sharedStore()
    const older = crypto.getRandomValues(new Uint8Array(32))
    const before = await createWorld({ store, recordKeys: [older], wrap: "each" })
    const session = await before.open()
    const stored = Buffer.concat([...store.contents()])
    for (const shown of [ORIGIN, session.id, before.pins[0] ?? ""]) expect(stored.includes(shown)).toBe(false)
    const keys = [recordKey, older]
    const after = await createWorld({ store, recordKeys: keys, wrap: "each" })
    after.now.set(before.now())
    expect(await after.read(await session.seal("a"))).toBe("a")
    const without = await createWorld({ store, recordKeys: [recordKey] })
    without.now.set(before.now())
    await expect(without.read(await session.seal("b"))).rejects.toMatchObject(noSession)
  })

  it("move between servers of which some have a new key second, and some have it first", async () => {
    const store = sharedStore()
    const older = crypto.getRandomValues(new Uint8Array(32))
    const late = await createWorld({ store, recordKeys: [older, recordKey] })
    const early = await createWorld({ store, recordKeys: [recordKey, older] })
    early.now.set(late.now())
    expect(await early.read(await (await late.open()).seal("a"))).toBe("a")
    expect(await late.read(await (await early.open()).seal("b"))).toBe("b")
  })

  it("do not open under another session's id", async () => {
    const store = sharedStore()
    const { open, read } = await createWorld({ store, recordKeys: [recordKey] })
    const [mine, other] = [await open(), await open()]
    store.swap(mine.id, other.id)
    await expect(read(await mine.seal("a"))).rejects.toMatchObject(noSession)
  })

  it("let a session move between processes", async () => {
    const store = sharedStore()
    const options = { store, recordKeys: [recordKey] }
    const [one, two] = [await createWorld(options), await createWorld(options)]
    two.now.set(one.now())
    const session = await one.open()
    expect(await two.read(await session.seal("a"))).toBe("a")
    await two.sessions.end(session.id)
    await expect(one.read(await session.seal("b"))).rejects.toMatchObject(noSession)
  })

  it("are touched once a second at most", async () => {
    const store = sharedStore()
    const { open, read, now } = await createWorld({ store, recordKeys: [recordKey] })
    const session = await open()
    for (let i = 0; i < 10; i++) {
      now.advance(100)
      await read(await session.seal("a"))
    }
    expect(store.touches()).toBe(1)
  })
})

describe("whatever the replay guard lets through", () => {
  it.each(Object.entries(KINDS))("an offer opens once: %s", async (_, options) => {
    const { sessions, open } = await createWorld(options())
    const replay = createReplayGuard({ store: { claim: () => Promise.resolve(true) } })
    let refusals: unknown[] = []
    await open({
      clock: Date.now,
      transport: {
        offer: (hello) => sessions.offer(hello, { origin: ORIGIN }),
        async open(id, opening) {
          const racing = Array.from({ length: 20 }, () =>
            sessions.open(id, opening, { origin: ORIGIN, replay }),
          )
          const settled = await Promise.allSettled(racing)
          refusals = settled.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []))
          return settled.find((each) => each.status === "fulfilled")?.value ?? ""
        },
      },
    })
    expect(refusals).toHaveLength(19)
    for (const each of refusals) {
      expect(["ERR_REPLAYED", "ERR_NO_SESSION"]).toContain((each as { code?: string }).code)
    }
  })

  it("a message does not count once its session has ended, even between authentication and claim", async () => {
    const { sessions, open } = await createWorld()
    const session = await open({ clock: Date.now })
    const claim = () => sessions.end(session.id)
    const replay = createReplayGuard({ store: { claim } })
    const late = sessions.openMessage(await session.seal("a"), { origin: ORIGIN, replay })
    await expect(late).rejects.toMatchObject(noSession)
  })
})

describe("after a restart with a replay store that forgets", () => {
  it("a session that is made since counts at once, one from before waits", async () => {
    const store = sharedStore()
    const options = { store, recordKeys: [recordKey] }
    const before = await createWorld(options)
    const old = await before.open()
    const after = await createWorld(options)
    const replay = createReplayGuard({ store: memoryStore() })
    const terms = { origin: ORIGIN, replay }
    const transport = {
      ...after.transport,
      open: (id: string, opening: string) => after.sessions.open(id, opening, terms),
    }
    const young = await after.open({ transport, clock: Date.now })
    const opened = await after.sessions.openMessage(await young.seal("now"), terms)
    expect(opened.text()).toBe("now")
    const refused = after.sessions.openMessage(await old.seal("then"), terms)
    await expect(refused).rejects.toMatchObject({ code: "ERR_QUARANTINED" })
  })
})

describe("createSessions", () => {
  it.each<[string, Partial<SessionsOptions>, RegExp]>([
    ["an unknown option", { lifetime: 1 } as never, /no option "lifetime"/],
    ["a life of a minute at least", { lifetimeSeconds: 59 }, /lifetimeSeconds must be/],
    ["no idling beyond the life", { lifetimeSeconds: 60, idleSeconds: 61 }, /idleSeconds must be/],
    ["a known mode", { wrap: "never" as never }, /wrap must be/],
    ["a store", { store: {} as SessionStore }, /store must be .*, not an object$/],
    ["keys for a shared store", { store: sharedStore() }, /recordKeys must have/],
    ["keys of 32 bytes", { store: sharedStore(), recordKeys: [new Uint8Array(16)] }, /32 bytes, not 16/],
    ["no keys for memory", { store: memorySessionStore(), recordKeys: [recordKey] }, /stays in the process/],
  ])("demands %s", async (_, options, message) => {
    const identity = await serverIdentity()
    const keyPool = await endlessPool()
    expect(() => createSessions({ identity, keyPool, ...options })).toThrow(message)
  })

  it("demands a pool of extractable keys for a shared store", async () => {
    const identity = await serverIdentity()
    const keyPool = { ...(await endlessPool()), extractable: false }
    const options = { identity, keyPool, store: sharedStore(), recordKeys: [recordKey] }
    expect(() => createSessions(options)).toThrow(/extractable: true/)
  })
})
