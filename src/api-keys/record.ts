/**
 * What is kept of an API key, and the stores that keep it: never the key itself, which is shown once, when it is made.
 * What a record means is not the store's business, nor is the time: the caller brings its own.
 *
 * @module
 */

import type { MaybePromise } from "../crypto/backend.ts"

/** What is kept of an API key. */
export interface ApiKeyRecord {
  /** The middle part of the key, 16 characters: public, for logs and lists. */
  readonly id: string
  /** 43 characters: the SHA-256 of the key, or its HMAC under the pepper. */
  readonly hash: string
  /** Whom the key stands for: several keys may stand for one principal. */
  readonly principal: string
  /** What it allows. */
  readonly scopes: readonly string[]
  /** Unix milliseconds. */
  readonly createdAtMs: number
  /** Unix milliseconds: refused from then on. 0 for a key that was revoked; undefined for one without an end. */
  readonly endsAtMs: number | undefined
  /** Unix milliseconds, to about a minute; undefined before its first use. */
  readonly lastUsedAtMs: number | undefined
}

/**
 * Keeps the records of API keys. Implement this to use another database.
 *
 * Each method is atomic across all processes that share the store. `find` is called once for each request that brings a key;
 * the others seldom. Whatever a method throws refuses the request that it was for (503).
 */
export interface ApiKeyStore {
  /** Adds a record; `false` where there is one with this id, which stays as it is. */
  add(record: ApiKeyRecord): MaybePromise<boolean>
  /** The record of an id: 16 characters from a stranger, of the letters a to z and the digits 2 to 7. */
  find(id: string): MaybePromise<ApiKeyRecord | undefined>
  /** All records, or those of one principal, in any order; also those that have ended. */
  list(principal?: string): MaybePromise<ApiKeyRecord[]>
  /**
   * Ends a key, or has it end sooner. An end never moves to a later time, so nothing brings a revoked key back.
   *
   * @returns The key's end from now on; undefined where there is no such key.
   */
  end(id: string, endsAtMs: number): MaybePromise<number | undefined>
  /** Notes a use, never at an earlier time than one noted before; does nothing where there is no such key. */
  touch(id: string, usedAtMs: number): MaybePromise<void>
}
