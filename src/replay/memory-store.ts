/**
 * The replay store of a single process: ids in memory, for as long as docs/protocol.md §4 wants them.
 * Ids are counted in buckets by expiry. A bucket goes as a whole when its time is over, at the next claim: no timers, no scan.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { emptyStoreKnowsSince } from "./history.ts"
import { hashWords, IdTable, readId } from "./id-table.ts"
import type { ReplayStore } from "./store.ts"

const DEFAULT_MAX_ENTRIES = 1_000_000
const HIGHEST_MAX_ENTRIES = 2 ** 30
const MINUTE_MS = 60_000
/** Ends of buckets are kept as minutes in 32 bits: until the year 6053. */
const LAST_MINUTE = 2 ** 31 - 1

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Ids held at once; beyond it claims are refused, and nothing is evicted. 1 to 2^30, default 1,000,000.
   *
   * Memory is taken as ids come, 27 to 40 bytes each: 40 MB at the default. All of it is given back when no id is held. An id counts until its bucket ends, at
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
  const claim = (id: string, expiresAtMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      resolve(ids.claim(id, expiresAtMs, now()))
    })
  if (dangerouslyForgetOnRestart) return { claim }

  const start = clock ?? emptyStoreKnowsSince
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
  /** From this minute on no id in the bucket is needed. */
  readonly endMinute: number
  count: number
}

/** Ids with expiries. */
class ExpiringIds {
  readonly #maxEntries: number
  /** The earliest first. */
  readonly #buckets: Bucket[] = []
  #count = 0
  /** The latest end of a bucket that was dropped: what expires by then may be forgotten, whatever the clock says. */
  #forgottenMinute = 0
  /** Made when the first id comes: Workers have no randomness while a module loads. */
  #ids: { readonly table: IdTable; readonly secret: Int32Array } | undefined
  readonly #words = new Int32Array(4)

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  claim(id: string, expiresAtMs: number, nowMs: number): boolean {
    if (typeof id !== "string" || !readId(id, this.#words)) {
      throw new TypeError("id must be the base64url of 32 bytes, 43 characters")
    }
    assertInTime(expiresAtMs, nowMs)
    this.#drop(nowMs)
    this.#assertRemembered(expiresAtMs, nowMs)
    const { table, secret } = (this.#ids ??= this.#createIds())
    const hash = hashWords(this.#words, 0, secret)
    if (table.has(this.#words, hash, this.#forgottenMinute)) return false
    if (this.#count >= this.#maxEntries) throw this.#full(nowMs)
    const bucket = this.#bucketFor(bucketEnd(expiresAtMs, nowMs))
    table.add(this.#words, hash, bucket.endMinute, this.#forgottenMinute)
    bucket.count++
    this.#count++
    return true
  }

  #createIds(): { table: IdTable; secret: Int32Array } {
    const secret = crypto.getRandomValues(new Int32Array(4))
    return { table: new IdTable(this.#maxEntries, secret), secret }
  }

  #assertRemembered(expiresAtMs: number, nowMs: number): void {
    const forgottenMs = this.#forgottenMinute * MINUTE_MS
    if (expiresAtMs > forgottenMs) return
    const backSeconds = Math.ceil((forgottenMs - nowMs) / 1000)
    throw new SealwireError(
      "ERR_STORE",
      `the clock was set back by ${backSeconds} s or more: the replay store may have forgotten the id`,
    )
  }

  #drop(nowMs: number): void {
    let first = this.#buckets[0]
    while (first && first.endMinute * MINUTE_MS <= nowMs) {
      this.#forgottenMinute = first.endMinute
      this.#count -= first.count
      this.#buckets.shift()
      first = this.#buckets[0]
      if (!first) this.#ids = undefined
    }
  }

  #bucketFor(endMinute: number): Bucket {
    const at = this.#buckets.findIndex((bucket) => bucket.endMinute >= endMinute)
    const found = this.#buckets[at]
    if (found?.endMinute === endMinute) return found
    const bucket = { endMinute, count: 0 }
    this.#buckets.splice(found ? at : this.#buckets.length, 0, bucket)
    return bucket
  }

  #full(nowMs: number): SealwireError {
    const firstEndMs = (this.#buckets[0]?.endMinute ?? 0) * MINUTE_MS
    return new SealwireError(
      "ERR_STORE_FULL",
      `the replay store holds ${this.#maxEntries} ids, as many as it may`,
      { retryAfterSeconds: Math.ceil((firstEndMs - nowMs) / 1000) },
    )
  }
}

function assertInTime(expiresAtMs: number, nowMs: number): void {
  if (typeof expiresAtMs !== "number") {
    throw new TypeError(`expiresAtMs must be a number, not ${describe(expiresAtMs)}`)
  }
  if (!(Math.abs(expiresAtMs) <= LAST_MINUTE * MINUTE_MS)) {
    throw new RangeError(`expiresAtMs must be Unix milliseconds before the year 6053, not ${expiresAtMs}`)
  }
  if (!Number.isFinite(nowMs)) {
    throw new SealwireError("ERR_STORE", "the clock of the replay store has no time")
  }
  if (expiresAtMs <= nowMs) {
    throw new SealwireError("ERR_STORE", "the id came to the replay store after it had expired")
  }
}

/** Widths double with the lifetime, so that a store has few buckets: 4 for two minutes, about 40 for a day. */
function bucketEnd(expiresAtMs: number, nowMs: number): number {
  let widthMinutes = 1
  while (widthMinutes * MINUTE_MS * 8 < expiresAtMs - nowMs) widthMinutes *= 2
  const endMinute = Math.ceil(Math.ceil(expiresAtMs) / (widthMinutes * MINUTE_MS)) * widthMinutes
  return Math.min(endMinute, LAST_MINUTE)
}
