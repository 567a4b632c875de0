/**
 * What is kept of a client's signing key, and the stores that keep it. Nothing in a record is secret; whoever can write to the
 * store can enrol.
 *
 * @module
 */

import type { Jwk, MaybePromise } from "../crypto/backend.ts"

/** What is kept of a client's signing key. */
export interface SigningKeyRecord {
  /** Its thumbprint, 43 characters. */
  readonly kid: string
  /** The public key. */
  readonly jwk: Jwk
  /** Whose it is: several keys may be one principal's. */
  readonly principal: string
  /** What it allows. */
  readonly scopes: readonly string[]
  /** Unix milliseconds. */
  readonly enrolledAtMs: number
  /** Unix milliseconds: refused from then on. 0 for a key that was revoked; undefined for one without an end. */
  readonly endsAtMs: number | undefined
}

/**
 * Keeps the signing keys of clients. Implement this to use another database.
 *
 * Each method is atomic across all processes that share the store. `find` is called twice for each signed request, the others
 * seldom. Whatever a method throws refuses the request that it was for (503).
 */
export interface SigningKeyStore {
  /** Adds a record; `false` where there is one of this key, which stays as it is: a key belongs to one principal, for ever. */
  add(record: SigningKeyRecord): MaybePromise<boolean>
  /** The record of a key; `kid` is a thumbprint from a stranger. */
  find(kid: string): MaybePromise<SigningKeyRecord | undefined>
  /** All records, or those of one principal, in any order; also those that have ended. */
  list(principal?: string): MaybePromise<SigningKeyRecord[]>
  /**
   * Ends a key, or has it end sooner, never later: nothing brings a revoked key back.
   *
   * @returns The key's end from now on; undefined where there is no such key.
   */
  end(kid: string, endsAtMs: number): MaybePromise<number | undefined>
}
