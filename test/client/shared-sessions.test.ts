import { describe, expect, it, vi } from "vitest"

import type { ClientOptions } from "../../src/client/options.ts"
import type { SessionState, SessionStates } from "../../src/client/session-state.ts"
import { createTestClock } from "../../src/testing.ts"
import { createSessionWorld, type SessionWorld } from "../support/client-session-world.ts"
import { createWorld, serverIdentity, type World } from "../support/client-world.ts"

/** Stands in for IndexedDB, which Node has not: what pages share. */
const shared = vi.hoisted(() => new Map<string, unknown>())
vi.mock("../../src/client/session-state.ts", () => ({
  sharedStates: (name: string): SessionStates => ({
    load: async () => shared.get(name) as SessionState | undefined,
    async save(state, former) {
      const held = shared.get(name) as SessionState | undefined
      const kept = held && held.id !== former ? held : state
      shared.set(name, kept)
      return kept
    },
    async touch(id, usedAtMs) {
      const held = shared.get(name) as SessionState | undefined
      if (held?.id === id) shared.set(name, { ...held, usedAtMs })
    },
    remove: async (id) => {
      if ((shared.get(name) as SessionState | undefined)?.id === id) shared.delete(name)
    },
  }),
}))

describe("pages that share a session", () => {
  /** Another page, at the same server. */
  async function besides({ sessions }: SessionWorld, more: Partial<ClientOptions> = {}): Promise<World> {
    const client = { pins: [(await serverIdentity()).kid], session: "shared", ...more } as const
    const world = await createWorld({ client, endpoint: { sessions } })
    world.handler = (_, { session }) => new Response(session)
    return world
  }

  const sessionOf = async ({ client }: World): Promise<string> => (await client.fetch("/a")).text()

  it("have one, also where they open theirs at once", async () => {
    shared.clear()
    const one = await createSessionWorld({}, { session: "shared" })
    one.handler = (_, { session }) => new Response(session)
    const two = await besides(one)
    const [id, same] = await Promise.all([sessionOf(one), sessionOf(two)])
    expect([same, (await one.sessions.list()).length]).toEqual([id, 2])
    await one.client.logout()
    expect(await sessionOf(two)).not.toBe(id)
  })

  it("know of each other's uses, and so do not take a session for idle that another is in", async () => {
    shared.clear()
    const clock = createTestClock()
    const one = await createSessionWorld(
      { lifetimeSeconds: 5000, idleSeconds: 900, clock },
      { session: "shared", clock },
    )
    one.handler = (_, { session }) => new Response(session)
    const two = await besides(one, { clock })
    const id = await sessionOf(one)
    for (const waitMs of [0, 600_000]) {
      clock.advance(waitMs)
      expect(await sessionOf(two)).toBe(id)
    }
    clock.advance(600_000)
    expect(await sessionOf(one)).toBe(id)
    expect(one.hellos()).toBe(1)
  })

  it("end theirs and the one that others have by now", async () => {
    shared.clear()
    const one = await createSessionWorld({}, { session: "shared" })
    await one.client.fetch("/a")
    shared.clear()
    await (await besides(one)).client.fetch("/a")
    expect(await one.sessions.list()).toHaveLength(2)
    await one.client.logout()
    expect([shared.size, await one.sessions.list()]).toEqual([0, []])
  })

  it("do without what another version has left there", async () => {
    shared.clear()
    const one = await createSessionWorld({}, { session: "shared" })
    await one.client.fetch("/a")
    const [name, state] = [...shared.entries()][0] as [string, SessionState]
    for (const rubbish of [{ ...state, jwk: { kty: "new" } }, "rubbish", {}]) {
      shared.set(name, rubbish)
      expect(await sessionOf(await besides(one))).toBe((shared.get(name) as SessionState).id)
    }
  })

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
