/**
 * The replay store of a single process: ids in memory, for as long as docs/protocol.md §4 wants them.
 * Ids lie in buckets by expiry. A bucket whose time is over goes as a whole, at the next claim: no timers, no scan.
 *
 * @module
 */

import { type Clock, processTime, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { hashWords, IdTable, readId, tableCount } from "./id-table.ts"
import type { ReplayStore } from "./store.ts"

const DEFAULT_MAX_ENTRIES = 1_000_000
const HIGHEST_MAX_ENTRIES = 2 ** 30
const NARROWEST_BUCKET_MS = 60_000
/** The last moment that a `Date` can hold. */
const LAST_MS = 8.64e15

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Ids held at once; beyond it claims are refused, and nothing is evicted. 1 to 2^30, default 1,000,000.
   *
   * Memory is taken as ids come, 21 to 43 bytes each: 43 MB at the default. An id counts until its bucket ends, at
   * most a minute after it expires (a quarter of its lifetime, where that is longer).
   */
  readonly maxEntries?: number
  /**
   * Leaves out the restart rule: what was accepted before a restart can be accepted again. Default `false`.
   * For development; refused when `NODE_ENV` is `production`.
   */
  readonly dangerouslyForgetOnRestart?: boolean
  /** Unix milliseconds; default the system's clock. */
  readonly clock?: Clock
}

/**
 * A replay store in this process's memory: about a microsecond a claim.
 *
 * > [!WARNING]
 * > Other processes do not see its ids. Where several can open with one key, they need a store that they share.
 *
 * It forgets when the process ends, so a guard over it refuses for a while what was sent before the start
 * (`ERR_QUARANTINED`).
 *
 * @returns A store whose `claim` rejects with `ERR_STORE_FULL` when full, and with `ERR_STORE` for an id that has
 * expired, or that may have been dropped already because the clock was set back.
 * @throws `TypeError` or `RangeError` for an option that is none, or out of range.
 */
export function memoryStore(options: MemoryStoreOptions = {}): ReplayStore {
  assertOptions(options, "options", ["maxEntries", "dangerouslyForgetOnRestart", "clock"])
  const { maxEntries = DEFAULT_MAX_ENTRIES, dangerouslyForgetOnRestart = false, clock } = options
  assertInteger(maxEntries, "options.maxEntries", 1, HIGHEST_MAX_ENTRIES)
  if (clock !== undefined) assertFunction(clock, "options.clock")
  assertMayForget(dangerouslyForgetOnRestart)

  const ids = new ExpiringIds(maxEntries)
  const now = clock ?? systemClock
  const claim = (id: string, expiresAtMs: number): Promise<boolean> => {
    try {
      return Promise.resolve(ids.claim(id, expiresAtMs, now()))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }
  if (dangerouslyForgetOnRestart) return { claim }

  const start = clock ?? processTime
  let sinceMs = start()
  // Workers hold the clock at 0 while a module loads; asked after a claim, it tells the time
  return { claim, knowsSince: () => (sinceMs ||= start()) }
}

function assertMayForget(forgets: boolean): void {
  if (typeof forgets !== "boolean") {
    throw new TypeError(`options.dangerouslyForgetOnRestart must be a boolean, not ${describe(forgets)}`)
  }
  const { process } = globalThis as { process?: { env?: { NODE_ENV?: string } } }
  if (forgets && process?.env?.NODE_ENV === "production") {
    throw new TypeError("options.dangerouslyForgetOnRestart must not be set when NODE_ENV is production")
  }
}

interface Bucket {
  /** No id in the bucket is needed from this moment on. */
  readonly endMs: number
  readonly ids: IdTable
}

/** Ids with expiries, in buckets, the earliest first. */
class ExpiringIds {
  readonly #maxEntries: number
  readonly #buckets: Bucket[] = []
  #count = 0
  /** The latest end of a bucket that was dropped: what expires by then may be forgotten, whatever the clock says. */
  #forgottenUntilMs = -Infinity
  /** Made at the first claim: Workers have no randomness while a module loads. */
  #secret: Int32Array | undefined
  readonly #words = new Int32Array(4)
  /** Written, never read: without a use the engine could leave the reads out. */
  #touched = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  claim(id: string, expiresAtMs: number, nowMs: number): boolean {
    if (typeof id !== "string" || !readId(id, this.#words)) {
      throw new TypeError("id must be the base64url of 32 bytes, 43 characters")
    }
    this.#assertInTime(expiresAtMs, nowMs)
    this.#drop(nowMs)
    this.#assertRemembered(expiresAtMs, nowMs)
    const secret = (this.#secret ??= crypto.getRandomValues(new Int32Array(4)))
    const hash = hashWords(this.#words, 0, secret)
    this.#touched = 0
    for (const bucket of this.#buckets) this.#touched ^= bucket.ids.touch(hash)
    // in every bucket: an id is held whatever expiry a later claim comes with
    for (const bucket of this.#buckets) if (bucket.ids.has(this.#words, hash)) return false
    if (this.#count >= this.#maxEntries) throw this.#full(nowMs)
    this.#bucketFor(bucketEnd(expiresAtMs, nowMs), secret).ids.add(this.#words, hash)
    this.#count++
    return true
  }

  #assertInTime(expiresAtMs: number, nowMs: number): void {
    if (typeof expiresAtMs !== "number") {
      throw new TypeError(`expiresAtMs must be a number, not ${describe(expiresAtMs)}`)
    }
    if (!(Math.abs(expiresAtMs) <= LAST_MS)) {
      throw new RangeError(`expiresAtMs must be Unix milliseconds, not ${expiresAtMs}`)
    }
    if (!Number.isFinite(nowMs))
      throw new SealwireError("ERR_STORE", "the clock of the replay store has no time")
    if (expiresAtMs <= nowMs) {
      throw new SealwireError("ERR_STORE", "the id came to the replay store after it had expired")
    }
  }

  #assertRemembered(expiresAtMs: number, nowMs: number): void {
    if (expiresAtMs > this.#forgottenUntilMs) return
    const backSeconds = Math.ceil((this.#forgottenUntilMs - nowMs) / 1000)
    throw new SealwireError(
      "ERR_STORE",
      `the clock was set back by ${backSeconds} s or more: the replay store may have forgotten the id`,
    )
  }

  #drop(nowMs: number): void {
    let first = this.#buckets[0]
    while (first && first.endMs <= nowMs) {
      this.#count -= first.ids.count
      this.#forgottenUntilMs = Math.max(this.#forgottenUntilMs, first.endMs)
      this.#buckets.shift()
      first = this.#buckets[0]
    }
  }

  #bucketFor(endMs: number, secret: Int32Array): Bucket {
    let at = this.#buckets.length
    for (; at > 0; at--) {
      const before = this.#buckets[at - 1]
      if (before?.endMs === endMs) return before
      if (before && before.endMs < endMs) break
    }
    const bucket = { endMs, ids: new IdTable(tableCount(this.#maxEntries), secret) }
    this.#buckets.splice(at, 0, bucket)
    return bucket
  }

  #full(nowMs: number): SealwireError {
    const firstEndMs = this.#buckets[0]?.endMs ?? nowMs
    return new SealwireError(
      "ERR_STORE_FULL",
      `the replay store holds ${this.#maxEntries} ids, as many as it may`,
      {
        retryAfterSeconds: Math.ceil((firstEndMs - nowMs) / 1000),
      },
    )
  }
}

/** Widths double with the lifetime, so that a store has few buckets: 4 for two minutes, about 40 for a day. */
function bucketEnd(expiresAtMs: number, nowMs: number): number {
  let widthMs = NARROWEST_BUCKET_MS
  while (widthMs * 8 < expiresAtMs - nowMs) widthMs *= 2
  return Math.ceil(Math.ceil(expiresAtMs) / widthMs) * widthMs
}
