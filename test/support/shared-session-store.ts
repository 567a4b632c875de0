import { memorySessionStore, type SessionStore } from "../../src/session.ts"

/** A store that several processes could share, with a look into it. */
export interface SharedStore extends SessionStore {
  contents(): Iterable<Uint8Array>
  touches(): number
  /** Exchanges the contents of two sessions. */
  swap(one: string, other: string): void
}

/** Contents are copied in and out, as a database does. */
export function sharedStore(): SharedStore {
  const { inProcess: _, ...store } = memorySessionStore<{ bytes: Uint8Array }>()
  const held = new Map<string, { bytes: Uint8Array }>()
  let touches = 0
  const keep = (id: string, content: Uint8Array): { bytes: Uint8Array } => {
    const kept = { bytes: content.slice() }
    held.set(id, kept)
    return kept
  }
  return {
    ...store,
    add: (id, offer, limits, nowMs) =>
      store.add(id, { ...offer, content: keep(id, offer.content) }, limits, nowMs),
    async open(id, session, nowMs) {
      const content = { bytes: session.content.slice() }
      const isOpen = await store.open(id, { ...session, content }, nowMs)
      if (isOpen) held.set(id, content)
      return isOpen
    },
    async find(id, nowMs) {
      const found = await store.find(id, nowMs)
      return found && { ...found, content: found.content.bytes.slice() }
    },
    touch(id, endsAtMs, nowMs) {
      touches++
      return store.touch(id, endsAtMs, nowMs)
    },
    contents: () => [...held.values()].map(({ bytes }) => bytes),
    touches: () => touches,
    swap(one, other) {
      const [a, b] = [held.get(one), held.get(other)]
      if (!a || !b) throw new Error("no such sessions")
      const { bytes } = a
      a.bytes = b.bytes
      b.bytes = bytes
    },
  }
}
