import { describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import { createClient } from "../../src/client.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { createKeyPool, memorySessionStore, type SessionStore } from "../../src/session.ts"
import { createTestClock } from "../../src/testing.ts"
import { createSessionWorld, pathOf, requests, SESSIONS } from "../support/client-session-world.ts"
import { serverIdentity, toAll } from "../support/client-world.ts"
import { ORIGIN, serverKey } from "../support/sealed-http.ts"

const noSession = (): Response => new Response(null, { status: 401 })

describe.each(["once", "each"] as const)("a client with sessions of mode %s", (wrap) => {
  it("opens one with the first request, once for all that wait for it, and sends in it", async () => {
    const world = await createSessionWorld({ wrap })
    world.handler = (_, { session }) => new Response(session)
    const answers = await Promise.all(Array.from({ length: 8 }, () => world.client.fetch("/a")))
    const ids = new Set(await Promise.all(answers.map((answer) => answer.text())))
    expect([ids.size, world.hellos(), world.directoryFetches()]).toEqual([1, 1, 0])
    expect(await (await world.client.fetch("/b", { method: "POST", body: "x" })).text()).toBe([...ids][0])
    expect(world.hellos()).toBe(1)
    expect(world.events).toContainEqual(expect.objectContaining({ type: "session", id: [...ids][0] }))
  })

  it("opens another, once, where the server does not know the first any longer, and repeats what is safe", async () => {
    const world = await createSessionWorld({ wrap })
    await world.client.fetch("/a")
    const [first] = await world.sessions.list()
    await world.sessions.end(first?.id ?? "")
    expect((await world.client.fetch("/b")).status).toBe(200)
    expect([world.hellos(), requests(world).length, world.handled.length]).toEqual([2, 3, 2])
  })

  it("does not repeat what is not, but the next request is in a new session", async () => {
    const world = await createSessionWorld({ wrap })
    await world.client.fetch("/a")
    const [first] = await world.sessions.list()
    await world.sessions.end(first?.id ?? "")
    const refused = world.client.fetch("/b", { method: "POST", body: "x" })
    await expect(refused).rejects.toMatchObject({ code: "ERR_NO_SESSION", outerStatus: 401 })
    expect((await world.client.fetch("/b", { method: "POST", body: "x" })).status).toBe(200)
    expect([world.hellos(), world.handled.length]).toEqual([2, 2])
  })

  it("ends it by logout, and opens another afterwards", async () => {
    const world = await createSessionWorld({ wrap })
    await world.client.logout()
    expect(world.sent).toEqual([])
    await world.client.fetch("/a")
    await world.client.logout()
    expect(await world.sessions.list()).toEqual([])
    await world.client.logout()
    await world.client.fetch("/a")
    expect(world.hellos()).toBe(2)
  })
})

describe("a client with sessions", () => {
  it("gives up where every session is unknown, after one more", async () => {
    const world = await createSessionWorld()
    world.between = toAll((sent, _, pass) => (pathOf(sent).startsWith(SESSIONS) ? pass(sent) : noSession()))
    await expect(world.client.fetch("/a")).rejects.toMatchObject({ code: "ERR_NO_SESSION" })
    expect([world.hellos(), requests(world).length]).toEqual([2, 2])
  })

  it("renews before the end, while the old one still serves", async () => {
    const clock = createTestClock()
    const world = await createSessionWorld({ lifetimeSeconds: 1000, idleSeconds: 1000, clock }, { clock })
    world.handler = (_, { session }) => new Response(session)
    const fetch = async (): Promise<string> => (await world.client.fetch("/a")).text()
    const first = await fetch()
    clock.advance(945_000)
    expect(await fetch()).toBe(first)
    await vi.waitFor(() => expect(world.hellos()).toBe(2))
    await vi.waitFor(async () => expect(await fetch()).not.toBe(first))
    expect(world.hellos()).toBe(2)
  })

  it("does not try one that has idled for too long", async () => {
    const clock = createTestClock()
    const world = await createSessionWorld({ lifetimeSeconds: 1000, idleSeconds: 400, clock }, { clock })
    world.handler = (_, { session }) => new Response(session)
    const fetch = async (): Promise<string> => (await world.client.fetch("/a")).text()
    const first = await fetch()
    for (const waitMs of [60_000, 40_000]) {
      clock.advance(waitMs)
      expect(await fetch()).toBe(first)
    }
    expect(world.hellos()).toBe(1)
    clock.advance(400_000)
    await expect(fetch()).resolves.not.toBe(first)
    expect(world.hellos()).toBe(2)
  })

  it("waits and asks again where no key is ready: 503", async () => {
    const keyPool = createKeyPool({
      size: 1,
      backend: { ...backend, generateRsa: () => new Promise<never>(() => undefined) },
    })
    const world = await createSessionWorld({ keyPool })
    await expect(world.client.fetch("/a", { method: "POST", body: "x" })).rejects.toMatchObject({
      outerStatus: 503,
    })
    expect([world.hellos(), requests(world).length]).toEqual([3, 0])
    keyPool.close()
  })

  it("corrects its clock by the server's sealed answer to an opening", async () => {
    const clock = createTestClock()
    clock.advance(-3_600_000)
    const world = await createSessionWorld({}, { clock })
    expect((await world.client.fetch("/a")).status).toBe(200)
    expect([world.hellos(), world.events.filter(({ type }) => type === "time-offset").length]).toEqual([1, 1])
  })

  it("asks for no other before the time that the server says, where renewing fails", async () => {
    const clock = createTestClock()
    const world = await createSessionWorld({ lifetimeSeconds: 1000, idleSeconds: 1000, clock }, { clock })
    await world.client.fetch("/a")
    world.between = toAll((sent, _, pass) =>
      pathOf(sent) === SESSIONS
        ? new Response("", { status: 503, headers: { "retry-after": "20" } })
        : pass(sent),
    )
    clock.advance(945_000)
    for (const waitMs of [0, 1000, 18_000, 2000]) {
      clock.advance(waitMs)
      expect((await world.client.fetch("/b")).status).toBe(200)
      // what goes on behind the answer
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    expect(world.hellos()).toBe(3)
  })

  it("gives a session up before the server does, whose clock has whole seconds", async () => {
    const clock = createTestClock()
    clock.advance(900 - (clock() % 1000))
    const world = await createSessionWorld({ lifetimeSeconds: 1000, idleSeconds: 1000, clock }, { clock })
    await world.client.fetch("/a")
    clock.advance(500_000)
    await world.client.fetch("/a")
    clock.advance(499_500)
    expect((await world.client.fetch("/b", { method: "POST", body: "x" })).status).toBe(200)
    expect(world.hellos()).toBe(2)
  })

  it("counts idle time from when it sent, as the server does, however long the answer takes", async () => {
    const clock = createTestClock()
    const world = await createSessionWorld({ lifetimeSeconds: 5000, idleSeconds: 400, clock }, { clock })
    world.handler = () => {
      clock.advance(300_000)
      return new Response("late")
    }
    await world.client.fetch("/a")
    clock.advance(150_000)
    expect((await world.client.fetch("/b", { method: "POST", body: "x" })).status).toBe(200)
    expect(world.hellos()).toBe(2)
  })

  it.each(["offer", "confirmation"])("asks again where the %s is cut", async (what) => {
    const world = await createSessionWorld()
    let cuts = 1
    const cut = (): Response =>
      new Response(new ReadableStream({ pull: (controller) => controller.error(new TypeError("reset")) }), {
        headers: { "content-type": "application/jose" },
      })
    world.between = toAll((sent, _, pass) => {
      const isIt = what === "offer" ? pathOf(sent) === SESSIONS : pathOf(sent).startsWith(`${SESSIONS}/`)
      return isIt && cuts-- > 0 ? cut() : pass(sent)
    })
    expect((await world.client.fetch("/a", { method: "POST", body: "x" })).status).toBe(200)
  })

  it("lets go of an answer to its handshake that it does not read", async () => {
    const world = await createSessionWorld({}, { retry: { attempts: 1 } })
    const cancel = vi.fn()
    world.between = async () =>
      new Response(new ReadableStream({ cancel }), {
        headers: { "content-type": "application/jose", "content-length": "100000" },
      })
    await expect(world.client.fetch("/a")).rejects.toThrow()
    expect(cancel).toHaveBeenCalledOnce()
  })

  it("believes no offer by an identity that it has not pinned", async () => {
    const { signingKey } = await generateSigningKeyPair()
    const world = await createSessionWorld({}, { pins: [signingKey.kid] })
    await expect(world.client.fetch("/a")).rejects.toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
    expect(requests(world)).toEqual([])
  })

  it("goes on with a server that has lost its sessions, and signs by the spare identity now", async () => {
    const spare = (await generateSigningKeyPair()).signingKey
    const pins = [spare.kid, (await serverIdentity()).kid]
    const [before, after] = [
      await createSessionWorld({}, { pins }),
      await createSessionWorld({ identity: spare }, { pins }),
    ]
    after.handler = (_, { session }) => new Response(session)
    await before.client.fetch("/a")
    after.between = (_, pass) => {
      before.between = (sent) => pass(sent)
      return Promise.reject(new Error("reset"))
    }
    await after.client.fetch("/a").catch(() => undefined)
    const id = await (await before.client.fetch("/b")).text()
    expect((await after.sessions.list()).map((each) => each.id)).toEqual([id])
  })

  it("never sends plain, whatever answers its handshake", async () => {
    const answers = [
      () => new Response("{}", { status: 200, headers: { "content-type": "application/json" } }),
      () => new Response("x".repeat(100_000), { headers: { "content-type": "application/jose" } }),
      () => new Response("", { headers: { "content-type": "application/jose" } }),
      () => Response.redirect("https://evil.example.com/", 307),
      () => Promise.reject(new Error("reset")),
    ]
    for (const answer of answers) {
      const world = await createSessionWorld()
      world.between = async () => answer()
      await expect(world.client.fetch("/secret-path", { method: "POST", body: "secret" })).rejects.toThrow()
      expect(requests(world)).toEqual([])
    }
  })

  it("signs the opening, and is known in every message", async () => {
    const { signingKey, verifyingKey } = await generateSigningKeyPair()
    const endpoint = { signedBy: verifyingKey }
    const world = await createSessionWorld({}, { signWith: signingKey }, { endpoint })
    world.handler = (_, { signer }) => new Response(signer)
    expect(await (await world.client.fetch("/a")).text()).toBe(signingKey.kid)
  })

  it("opens a new session after a failed opening", async () => {
    const world = await createSessionWorld()
    let failures = 2
    world.between = toAll((sent, _, pass) =>
      pathOf(sent).startsWith(`${SESSIONS}/`) && failures-- > 0 ? noSession() : pass(sent),
    )
    expect((await world.client.fetch("/a", { method: "POST", body: "x" })).status).toBe(200)
    expect([world.hellos(), world.handled.length]).toEqual([3, 1])
  })

  it("needs pins", async () => {
    const keys = (await serverKey()).publicKey
    expect(() => createClient({ baseUrl: ORIGIN, keys, session: true })).toThrow(/needs pins/)
    const pins = [(await serverIdentity()).kid]
    expect(() => createClient({ baseUrl: ORIGIN, pins, session: 1 as never })).toThrow(/session must be/)
  })
})

describe("a logout", () => {
  it("ends a session that is still being opened", async () => {
    const world = await createSessionWorld()
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    world.between = toAll(async (sent, count, pass) => {
      if (count === 1) await held
      return pass(sent)
    })
    const request = world.client.fetch("/a", { method: "POST", body: "x" }).catch(() => undefined)
    await vi.waitFor(() => expect(world.hellos()).toBe(1))
    const logout = world.client.logout()
    release()
    await Promise.all([logout, request])
    expect([world.hellos(), await world.sessions.list()]).toEqual([1, []])
  })

  it("that the server cannot do, and says so sealed, is ERR_STORE; the session is forgotten all the same", async () => {
    const store: SessionStore = {
      ...memorySessionStore(),
      end: () => Promise.reject(new Error("disk full")),
    }
    const world = await createSessionWorld({ store })
    await world.client.fetch("/a")
    await expect(world.client.logout()).rejects.toMatchObject({
      code: "ERR_STORE",
      requestId: expect.any(String),
    })
    await world.client.fetch("/a")
    expect(world.hellos()).toBe(2)
  })

  it("tells the server also of a session that this clock takes for ended, and corrects the clock for that", async () => {
    const clock = createTestClock()
    const world = await createSessionWorld({}, { clock })
    await world.client.fetch("/a")
    clock.advance(43_200_000)
    await world.client.logout()
    expect(await world.sessions.list()).toEqual([])
  })
})
