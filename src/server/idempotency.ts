/**
 * Idempotency keys: a repeated operation gets its first answer, and runs once. docs/protocol.md §8.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"

/** What a store knows of an operation that is asked for again. */
export type IdempotencyRecord =
  /** Never seen: it is the caller's to carry out, and to finish. */
  | { readonly state: "new" }
  /** Under way, or cut off before it could finish. */
  | { readonly state: "running" }
  /** Done; `answer` is what was finished with, or undefined where it was too long to keep. */
  | { readonly state: "done"; readonly answer: Uint8Array | undefined }
  /** The same key came with another message. */
  | { readonly state: "conflict" }

/** Remembers operations and their answers. */
export interface IdempotencyStore {
  /**
   * Starts an operation, atomically, or tells what is known of it.
   *
   * @param key - 43 characters: a hash of the principal and the key, so that one principal's keys say nothing to another.
   * @param fingerprint - 43 characters: the SHA-256 of the message.
   * @param expiresAtMs - Unix milliseconds, until when it must be remembered.
   */
  begin(key: string, fingerprint: string, expiresAtMs: number): Promise<IdempotencyRecord>
  /** Keeps the answer of an operation that this caller began. */
  finish(key: string, answer: Uint8Array | undefined): Promise<void>
}

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
  readonly fingerprint: string
  readonly expiresAtMs: number
  done: boolean
  answer: Uint8Array | undefined
}

const OPTIONS = ["maxEntries", "maxBytes", "clock"]

/**
 * Operations in this process's memory: for one server process, and forgotten when it ends.
 *
 * A full store refuses new operations (`ERR_STORE_FULL`) rather than forget one; an answer that does not fit is not kept, and its
 * repetition is told that the operation was carried out.
 *
 * @throws `RangeError` for a number out of its range.
 */
export function memoryIdempotencyStore(options: MemoryIdempotencyStoreOptions = {}): IdempotencyStore {
  assertOptions(options, "options", OPTIONS)
  const { maxEntries = 100_000, maxBytes = 67_108_864, clock = systemClock } = options
  assertInteger(maxEntries, "maxEntries", 1, 10_000_000)
  assertInteger(maxBytes, "maxBytes", 0, 4_294_967_296)
  // in the order of their coming, which is that of their expiry while all live equally long
  const entries = new Map<string, Entry>()
  let bytes = 0

  function dropExpired(nowMs: number): void {
    for (const [key, { expiresAtMs, answer }] of entries) {
      if (expiresAtMs > nowMs) return
      entries.delete(key)
      bytes -= answer?.length ?? 0
    }
  }

  return {
    begin(key, fingerprint, expiresAtMs) {
      dropExpired(clock())
      const known = entries.get(key)
      if (known) {
        if (known.fingerprint !== fingerprint) return Promise.resolve({ state: "conflict" })
        return Promise.resolve(known.done ? { state: "done", answer: known.answer } : { state: "running" })
      }
      if (entries.size >= maxEntries) {
        return Promise.reject(
          new SealwireError("ERR_STORE_FULL", "the idempotency store holds as many operations as it may"),
        )
      }
      entries.set(key, { fingerprint, expiresAtMs, done: false, answer: undefined })
      return Promise.resolve({ state: "new" })
    },
    finish(key, answer) {
      const entry = entries.get(key)
      if (entry) {
        entry.done = true
        if (answer && bytes + answer.length <= maxBytes) {
          entry.answer = answer
          bytes += answer.length
        }
      }
      return Promise.resolve()
    },
  }
}
