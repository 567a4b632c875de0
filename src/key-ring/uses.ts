/**
 * Counters of use: how often each key has opened an encrypted key, and when last. They are gathered in memory, and added to the
 * store's in batches: after `kill -9` the last batch is missing, and a batch whose saving failed halfway may count twice.
 *
 * @module
 */

import { parseJson } from "../base/json.ts"
import type { Bytes } from "../base/bytes.ts"
import { materialOf, type PrivateKey, registerKey } from "../keys/key.ts"
import type { KeyRingStore } from "./store.ts"

/** How a key was used, by all servers together. */
export interface KeyUse {
  /** Messages that were unwrapped with it, replays and stale ones among them. */
  readonly count: number
  /** Unix milliseconds; 0 for a key that was never used. */
  readonly lastUsedAtMs: number
}

/** By name of the key. */
export type KeyUses = ReadonlyMap<string, KeyUse>

const NEVER: KeyUse = { count: 0, lastUsedAtMs: 0 }
/** Counters of keys that are gone are kept as long. */
const REMEMBERED_MS = 90 * 86_400_000
const ATTEMPTS = 8

const sum = (a: KeyUse, b: KeyUse): KeyUse => ({
  count: a.count + b.count,
  lastUsedAtMs: Math.max(a.lastUsedAtMs, b.lastUsedAtMs),
})

/** What is not a counter is left out: nobody's messages depend on it. */
function parseUses(text: string | undefined): Map<string, KeyUse> {
  const uses = new Map<string, KeyUse>()
  const value = text === undefined ? {} : parseJson(text)
  for (const [kid, use] of Object.entries(value ?? {})) {
    const { count, lastUsedAtMs } = (use ?? {}) as Partial<KeyUse>
    if (Number.isSafeInteger(count) && Number.isSafeInteger(lastUsedAtMs)) {
      uses.set(kid, { count: Number(count), lastUsedAtMs: Number(lastUsedAtMs) })
    }
  }
  return uses
}

/** The counters of one process, and what it knows of the others'. */
export class UseCounter {
  readonly #store: KeyRingStore
  readonly #clock: () => number
  #stored: KeyUses = new Map()
  #pending = new Map<string, KeyUse>()
  /** On its way to the store. */
  #batch: KeyUses = new Map()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(store: KeyRingStore, clock: () => number) {
    this.#store = store
    this.#clock = clock
  }

  useOf(kid: string): KeyUse {
    const parts = [this.#stored, this.#batch, this.#pending].map((uses) => uses.get(kid) ?? NEVER)
    return parts.reduce(sum)
  }

  /** The same key, counted from now on. */
  counted(key: PrivateKey): PrivateKey {
    const { kid, modulusBits, publicKey } = key
    const { backend, jwk, handle, madeAtMs } = materialOf(key, "private", "key")
    const unwrap = async (encryptedKey: Bytes): Promise<Bytes> => {
      const contentKey = await handle.unwrap(encryptedKey)
      this.#note(kid)
      return contentKey
    }
    return registerKey(
      { type: "private", kid, modulusBits, publicKey },
      { backend, jwk, handle: { unwrap }, madeAtMs },
    )
  }

  #note(kid: string): void {
    const use = { count: 1, lastUsedAtMs: this.#clock() }
    this.#pending.set(kid, sum(this.#pending.get(kid) ?? NEVER, use))
  }

  /** Adds what was gathered to the store's counters, and reads those. After a failure it is all still there. */
  flush(): Promise<void> {
    const flushed = this.#tail.then(() => this.#flush())
    this.#tail = flushed.catch(() => undefined)
    return flushed
  }

  async #flush(): Promise<void> {
    // what comes while this is saved belongs to the next batch
    const batch = this.#pending
    this.#batch = batch
    this.#pending = new Map()
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        if (await this.#add(batch)) return
      }
    } finally {
      for (const [kid, use] of batch) this.#pending.set(kid, sum(this.#pending.get(kid) ?? NEVER, use))
      this.#batch = new Map()
    }
  }

  /** Gives whether the store has the batch now; then it is empty. */
  async #add(batch: Map<string, KeyUse>): Promise<boolean> {
    const found = await this.#store.load("uses")
    const uses = parseUses(found?.text)
    const oldestMs = this.#clock() - REMEMBERED_MS
    for (const [kid, use] of batch) uses.set(kid, sum(uses.get(kid) ?? NEVER, use))
    const kept = [...uses].filter(([, { lastUsedAtMs }]) => lastUsedAtMs > oldestMs)
    const text = JSON.stringify(Object.fromEntries(kept))
    if (batch.size > 0 && !(await this.#store.save("uses", text, (found?.version ?? 0) + 1))) return false
    this.#stored = uses
    batch.clear()
    return true
  }
}
