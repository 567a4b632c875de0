import { afterEach, describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import { createSessions, type SessionStore } from "../../src/session.ts"
import { sharedStore } from "../support/shared-session-store.ts"
import { createWorld, ORIGIN, serverIdentity } from "../support/session-world.ts"

const HELLO = `{"cn":"${"A".repeat(43)}"}`
const SWEEP_EVERY_MS = 15_000
const recordKeys = [new Uint8Array(32).fill(7)]

afterEach(() => {
  vi.useRealTimers()
})

describe("what has ended is swept from a store", () => {
  async function sweptStore() {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const sweep = vi.fn<SessionStore["sweep"]>(() => true)
    const store: SessionStore = { ...sharedStore(), sweep }
    const { sessions } = await createWorld({ store, recordKeys })
    return { sweep, sessions, offer: () => sessions.offer(HELLO, { origin: ORIGIN }) }
  }

  it("every 15 seconds, also after one that failed, while there may be something", async () => {
    const { sweep, offer, sessions } = await sweptStore()
    await offer()
    sweep.mockRejectedValueOnce(new Error("the database is gone"))
    await vi.advanceTimersByTimeAsync(3 * SWEEP_EVERY_MS)
    expect(sweep).toHaveBeenCalledTimes(3)
    sweep.mockReturnValueOnce(false)
    await vi.advanceTimersByTimeAsync(3 * SWEEP_EVERY_MS)
    expect(sweep).toHaveBeenCalledTimes(4)
    sessions.close()
  })

  it("no more once the sessions are closed, also where a sweep was on its way", async () => {
    const { sweep, offer, sessions } = await sweptStore()
    await offer()
    let finish: (isMore: boolean) => void = () => undefined
    sweep.mockReturnValueOnce(new Promise((resolve) => (finish = resolve)))
    await vi.advanceTimersByTimeAsync(SWEEP_EVERY_MS)
    sessions.close()
    finish(true)
    await offer()
    await vi.advanceTimersByTimeAsync(3 * SWEEP_EVERY_MS)
    expect(sweep).toHaveBeenCalledTimes(1)
  })
})

it("a session in a shared store lives while its messages come, however short it may be idle", async () => {
  const { open, read, now } = await createWorld({ store: sharedStore(), recordKeys, idleSeconds: 1 })
  const session = await open()
  for (let i = 0; i < 20; i++) {
    now.advance(300)
    expect(await read(await session.seal("a"))).toBe("a")
  }
})

it("a store is told of whole milliseconds only, whatever the clock gives", async () => {
  const shared = sharedStore()
  const times: number[] = []
  const store: SessionStore = {
    ...shared,
    add(id, offer, limits, nowMs) {
      times.push(offer.endsAtMs, nowMs)
      return shared.add(id, offer, limits, nowMs)
    },
    open(id, session, nowMs) {
      times.push(session.endsAtMs, session.openedAtMs, nowMs)
      return shared.open(id, session, nowMs)
    },
    list(principal, nowMs) {
      times.push(nowMs)
      return shared.list(principal, nowMs)
    },
  }
  const { open, sessions } = await createWorld({ store, recordKeys, clock: () => Date.now() + 0.5 })
  await open({ clock: Date.now })
  await sessions.list()
  expect(times).toHaveLength(6)
  expect(times.every(Number.isInteger)).toBe(true)
})

it("what is refused for its options makes no RSA pairs", async () => {
  const identity = await serverIdentity()
  const generate = vi.spyOn(backend, "generateRsa").mockReturnValue(new Promise(() => undefined))
  expect(() => createSessions({ identity, store: sharedStore() })).toThrow(/recordKeys must have/)
  expect(generate).not.toHaveBeenCalled()
  createSessions({ identity, store: sharedStore(), recordKeys }).close()
  expect(generate).toHaveBeenCalledTimes(1)
  generate.mockRestore()
})
