/**
 * The idempotency store of a single process.
 *
 * @module
 */

import { type Bytes, equalConstantTime } from "../base/bytes.ts"
import { type Clock, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import type { IdempotencyStore } from "./store.ts"

/** Options of {@link memoryIdempotencyStore}. */
export interface MemoryIdempotencyStoreOptions {
  /** Most operations that are remembered at once: 1 to 10,000,000. Default: 100,000. */
  readonly maxEntries?: number
  /** Most bytes of answers that are kept at once: 0 to 4,294,967,296. Default: 67,108,864. */
  readonly maxBytes?: number
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
}

interface Entry {
  readonly expiresAtMs: number
  content: Bytes
  /** By how much it has grown since it began. */
  grownBytes: number
}

const OPTIONS = ["maxEntries", "maxBytes", "clock"]

const full = (what: string): SealwireError =>
  new SealwireError("ERR_STORE_FULL", `the idempotency store holds as many ${what} as it may`)

class Table {
  /** In the order of their coming, which is that of their expiry while all live equally long. */
  readonly #entries = new Map<string, Entry>()
  readonly #clock: Clock
  /** What the contents of all have grown by. */
  grownBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  /** What lives; what has expired goes. */
  get(id: string): Entry | undefined {
    const entry = this.#entries.get(id)
    if (!entry || entry.expiresAtMs > this.#clock()) return entry
    this.#drop(id, entry)
    return undefined
  }

  put(id: string, content: Uint8Array, keepMs: number): void {
    const expiresAtMs = this.#clock() + keepMs
    this.#entries.set(id, { expiresAtMs, content: new Uint8Array(content), grownBytes: 0 })
  }

  dropExpired(): void {
    const nowMs = this.#clock()
    for (const [id, entry] of this.#entries) {
      if (entry.expiresAtMs > nowMs) return
      this.#drop(id, entry)
    }
  }

  #drop(id: string, entry: Entry): void {
    this.#entries.delete(id)
    this.grownBytes -= entry.grownBytes
  }
}

const copyOf = (entry: Entry | undefined): Bytes | undefined => entry && new Uint8Array(entry.content)

/**
 * Operations in this process's memory: for one server process, and forgotten when it ends.
 *
 * A full store refuses new operations (`ERR_STORE_FULL`) rather than forget one; an answer that does not fit is not kept, and its
 * repetition is told that the operation was carried out.
 *
 * @throws `RangeError` for a number out of its range.
 */
export function memoryIdempotencyStore(
  options: MemoryIdempotencyStoreOptions = {},
): IdempotencyStore & { readonly inProcess: true } {
  assertOptions(options, "options", OPTIONS)
  const { maxEntries = 100_000, maxBytes = 67_108_864, clock = systemClock } = options
  assertInteger(maxEntries, "maxEntries", 1, 10_000_000)
  assertInteger(maxBytes, "maxBytes", 0, 4_294_967_296)
  const table = new Table(clock)
  return {
    inProcess: true,
    begin(id, content, keepSeconds) {
      table.dropExpired()
      const held = table.get(id)
      if (held) return copyOf(held)
      if (table.size >= maxEntries) throw full("operations")
      table.put(id, content, keepSeconds * 1000)
      return undefined
    },
    find: (id) => copyOf(table.get(id)),
    finish(id, begun, content) {
      const held = table.get(id)
      if (!held || !equalConstantTime(held.content, new Uint8Array(begun))) return false
      const growth = content.length - begun.length
      if (growth > 0 && table.grownBytes + growth > maxBytes) throw full("bytes of answers")
      held.content = new Uint8Array(content)
      held.grownBytes += growth
      table.grownBytes += growth
      return true
    },
  }
}
