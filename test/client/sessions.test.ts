import { describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import { createClient } from "../../src/client.ts"
import type { ClientOptions } from "../../src/client/options.ts"
import type { SessionState, SessionStates } from "../../src/client/session-state.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import { createKeyPool, createSessions, type SessionsOptions } from "../../src/session.ts"
import { createTestClock } from "../../src/testing.ts"
import {
  createWorld,
  type Sent,
  serverIdentity,
  toAll,
  type World,
  type WorldOptions,
} from "../support/client-world.ts"
import { ORIGIN, serverKey } from "../support/sealed-http.ts"
import { endlessPool } from "../support/session-world.ts"

/** Stands in for IndexedDB, which Node has not: what pages share. */
const shared = vi.hoisted(() => new Map<string, unknown>())
vi.mock("../../src/client/session-state.ts", () => ({
  sharedStates: (name: string): SessionStates => ({
    load: async () => shared.get(name) as SessionState | undefined,
    save: async (state) => void shared.set(name, state),
    touch: async () => undefined,
    remove: async (id) => {
      if ((shared.get(name) as SessionState | undefined)?.id === id) shared.delete(name)
    },
  }),
}))

const SESSIONS = "/.well-known/sealwire/sessions"
const pathOf = ({ url }: Sent): string => new URL(url).pathname

interface SessionWorld extends World {
  readonly sessions: ReturnType<typeof createSessions>
  readonly hellos: () => number
}

async function createSessionWorld(
  options: Partial<SessionsOptions> = {},
  client: Partial<ClientOptions> = {},
  more: Partial<WorldOptions> = {},
): Promise<SessionWorld> {
  const identity = await serverIdentity()
  const sessions = createSessions({ identity, keyPool: await endlessPool(), ...options })
  const world = await createWorld({
    ...more,
    client: { pins: [identity.kid], session: true, ...client },
    endpoint: { sessions, ...more.endpoint },
  })
  const hellos = (): number => world.sent.filter((sent) => pathOf(sent) === SESSIONS).length
  return Object.assign(world, { sessions, hellos })
}

/** The requests of the application that were sent. */
const requests = ({ sent }: World): Sent[] => sent.filter((each) => !pathOf(each).startsWith(SESSIONS))

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

  it("believes no offer by an identity that it has not pinned", async () => {
    const { signingKey } = await generateSigningKeyPair()
    const world = await createSessionWorld({}, { pins: [signingKey.kid] })
    await expect(world.client.fetch("/a")).rejects.toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
    expect(requests(world)).toEqual([])
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

describe("pages that share a session", () => {
  it("open it once, keep only a key that cannot be exported, and learn of its end", async () => {
    shared.clear()
    const one = await createSessionWorld({}, { session: "shared" })
    await one.client.fetch("/a")
    const [state] = [...shared.values()] as SessionState[]
    expect(state?.secret).toMatchObject({ type: "secret", extractable: false })
    await expect(crypto.subtle.exportKey("raw", state?.secret as CryptoKey)).rejects.toThrow()
    const two = await createWorld({
      client: { pins: [(await serverIdentity()).kid], session: "shared" },
      endpoint: { sessions: one.sessions },
    })
    two.handler = (_, { session }) => new Response(session)
    expect(await (await two.client.fetch("/b")).text()).toBe(state?.id)
    await two.client.logout()
    expect(shared.size).toBe(0)
    expect((await one.client.fetch("/c")).status).toBe(200)
    expect(one.hellos()).toBe(2)
  })

  it("do not use one whose identity is pinned no longer", async () => {
    shared.clear()
    const world = await createSessionWorld({ wrap: "each" }, { session: "shared" })
    await world.client.fetch("/a")
    const [name, state] = [...shared.entries()][0] as [string, SessionState]
    shared.set(name, { ...state, identity: "A".repeat(43) })
    const other = await createWorld({
      client: { pins: [(await serverIdentity()).kid], session: "shared" },
      endpoint: { sessions: world.sessions },
    })
    await other.client.fetch("/b")
    expect((shared.get(name) as SessionState).id).not.toBe(state.id)
  })
})
