import { expect, it, vi } from "vitest"

import { memorySessionStore } from "../../src/session.ts"

const room = { maxSessions: 1000, maxPendingOffers: 1000 }
const full = { code: "ERR_STORE_FULL" }

/** A content is told when its session is removed. */
interface Removed {
  readonly wipe: () => void
}
const content = (): Removed => ({ wipe: vi.fn() })

function opened(store: ReturnType<typeof memorySessionStore>, id: string, endsAtMs: number): Removed {
  const session = { content: content(), principal: undefined, openedAtMs: 0, endsAtMs }
  void store.add(id, { content: content(), key: undefined, endsAtMs: 60_000 }, room, 0)
  void store.open(id, session, 0)
  return session.content
}

it("a table full of sessions is looked through once a second, however many ask for another", () => {
  const store = memorySessionStore()
  for (const endsAtMs of [1400, 9000]) opened(store, String(endsAtMs), endsAtMs)
  const ask = (nowMs: number) =>
    store.add(
      "more",
      { content: content(), key: undefined, endsAtMs: 99_000 },
      { ...room, maxSessions: 2 },
      nowMs,
    )
  opened(store, "first", 1000)
  void store.end("first")
  expect(() => ask(1000)).toThrow(expect.objectContaining(full))
  expect(() => ask(1999)).toThrow(expect.objectContaining(full))
  void ask(2000)
})

it("where there are too many offers, those alone are looked through, and make room at once", () => {
  const store = memorySessionStore()
  const ended = opened(store, "session", 10)
  const ask = (id: string, nowMs: number) => {
    const offer = { content: content(), key: undefined, endsAtMs: nowMs + 100 }
    return store.add(id, offer, { ...room, maxPendingOffers: 2 }, nowMs)
  }
  void ask("one", 0)
  void ask("two", 1)
  expect(() => ask("three", 99)).toThrow(expect.objectContaining(full))
  void ask("three", 100)
  expect(() => ask("four", 100)).toThrow(expect.objectContaining(full))
  void ask("four", 101)
  expect(ended.wipe).not.toHaveBeenCalled()
  void store.sweep(101)
  expect(ended.wipe).toHaveBeenCalledTimes(1)
})
