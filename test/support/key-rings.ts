/**
 * Key rings in tests: made quickly, over a clock that the test sets, with stores that fail when they are told to.
 *
 * @module
 */

import { randomBytes } from "node:crypto"

import { createTestClock, type TestClock } from "../../src/contracts/test-clock.ts"
import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import {
  type KeyRingStore,
  memoryKeyRingStore,
  openKeyRing,
  type OpenKeyRingOptions,
} from "../../src/key-ring.ts"
import type { KeyRingManager, StoredKeyRing } from "../../src/key-ring.ts"
import type { ReadableKeyRing } from "../../src/keys/ring.ts"
import { dangerouslyAcceptReplays } from "../../src/index.ts"

/** Rotation every 1,000 s, known 50 s before; a retired key may go after 97 s. */
export const TERMS = {
  rotateEverySeconds: 1000,
  refreshSeconds: 10,
  pendingSeconds: 50,
  directoryLifetimeSeconds: 60,
  maxAgeSeconds: 20,
  maxSkewSeconds: 5,
  clockErrorSeconds: 1,
  modulusBits: 2048,
} as const

/** A fleet over one store and one clock. */
export interface Fleet {
  readonly clock: TestClock
  readonly store: KeyRingStore
  server(options?: Partial<OpenKeyRingOptions>): Promise<StoredKeyRing>
  close(): Promise<void>
}

/** Private keys under a wrapping key: quick. */
export const wrapped = (): { wrappingKey: Uint8Array } => ({ wrappingKey: randomBytes(32) })

export function fleet(shared: Partial<OpenKeyRingOptions> = {}): Fleet {
  const clock = createTestClock(1_700_000_000_000)
  const store = memoryKeyRingStore()
  const protection = wrapped()
  const servers: StoredKeyRing[] = []
  return {
    clock,
    store,
    async server(options) {
      const ring = await openKeyRing({
        store,
        protection,
        create: true,
        terms: TERMS,
        clock,
        ...shared,
        ...options,
      })
      servers.push(ring)
      return ring
    },
    async close() {
      await Promise.all(servers.map((ring) => ring.close().catch(() => undefined)))
    },
  }
}

/** A ring as it is stored. */
export interface StoredText {
  readonly version: number
  readonly text: string
}

/** A store that shows one text, and takes none. */
export const showing = (stored: StoredText): KeyRingStore => ({
  load: async (name) => (name === "ring" ? stored : undefined),
  save: async () => false,
})

/** What a fleet has stored of its ring. */
export async function loadRing({ store }: Fleet): Promise<StoredText> {
  const stored = await store.load("ring")
  if (!stored) throw new Error("no ring is stored")
  return stored
}

/** Seals to what a ring publishes first. */
export async function sealBy(ring: ReadableKeyRing, text = "hello"): Promise<string> {
  const [to] = ring.published()
  if (!to) throw new Error("nothing is published")
  return seal(text, { to })
}

/** Opens, however old it is. */
export async function openBy(ring: ReadableKeyRing, envelope: string): Promise<string> {
  return (await open(envelope, { with: ring, replay: dangerouslyAcceptReplays })).text()
}

/** The states of its keys, in order. */
export const statesOf = (ring: KeyRingManager): string[] => ring.list().map(({ state }) => state)

/** A store that does what another does, unless a test has it fail. */
export function fickle(
  inner: KeyRingStore,
): KeyRingStore & { failing: "no" | "load" | "save" | "answer"; saves: number } {
  const store = {
    failing: "no" as "no" | "load" | "save" | "answer",
    saves: 0,
    load: async (name: "ring" | "uses") => {
      if (store.failing === "load") throw new Error("connection lost")
      return inner.load(name)
    },
    save: async (name: "ring" | "uses", text: string, version: number) => {
      if (store.failing === "save") throw new Error("connection lost")
      store.saves++
      const isSaved = await inner.save(name, text, version)
      if (store.failing === "answer") throw new Error("saved, but the answer was lost")
      return isSaved
    },
  }
  return store
}
