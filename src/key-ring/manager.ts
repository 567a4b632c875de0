/**
 * A stored ring as its users see it: who looks after it, and the server that opens with its keys.
 *
 * @module
 */

import type { PrivateKey } from "../keys/key.ts"
import type { KeyState, ReadableKeyRing } from "../keys/ring.ts"
import type { RingAuthenticity } from "./scribe.ts"
import type { KeyRingTerms } from "./terms.ts"
import type { KeyUse } from "./uses.ts"

/** What is known of a key of a ring. Times are Unix milliseconds. */
export interface StoredKey {
  readonly kid: string
  readonly state: KeyState
  readonly createdAtMs: number
  /** Published from then on, past or to come; undefined while nothing is planned. */
  readonly activeFromMs: number | undefined
  /** No longer published from then on, past or to come. */
  readonly retiredFromMs: number | undefined
  /** May be destroyed from then on. */
  readonly destroyableFromMs: number | undefined
  /** What keeps it from being destroyed. */
  readonly heldFor: string | undefined
  /** By all servers together, as far as they have told the store: up to `refreshSeconds` late. */
  readonly use: KeyUse
}

/** A planned rotation. */
export interface PlannedKey {
  readonly kid: string
  /** Unix milliseconds: published from then on. */
  readonly activeFromMs: number
}

/** A stored ring, for who looks after it. Steps are saved before they answer, and take effect when all servers know. */
export interface KeyRingManager {
  readonly terms: KeyRingTerms
  /** The directory's `seq`: when what is published changed last, in Unix milliseconds. */
  readonly seq: number
  /** Whether all of this is known to be of somebody who has the ring's protection. */
  readonly authenticity: RingAuthenticity
  /** All keys, in the order in which they came. */
  list(): StoredKey[]
  /** Reads the ring again. Throws `ERR_STORE` when the store fails, and `ERR_KEY` for a key that cannot be taken from its protection. */
  refresh(): Promise<void>
  /**
   * Plans the next key: the one that was added as `pending`, or a new one. It is published in `pendingSeconds`, or, when it is `urgent`, as
   * soon as all servers know it; the keys before it are retired at the same moment.
   *
   * @throws `RangeError` when one is planned already.
   */
  rotate(options?: { readonly urgent?: boolean }): Promise<PlannedKey>
  /** Adds an extractable key: as the next one, or as one that only opens. Throws a `RangeError` when the ring has it. */
  add(key: PrivateKey, state?: "pending" | "retired"): Promise<void>
  /** Plans that a key is no longer published. Throws a `RangeError` when it is the only one. */
  retire(kid: string): Promise<void>
  /**
   * Forgets a retired key, for good. Throws a `RangeError` for another state, for a key that is held, and, unless losing them is accepted
   * aloud, while messages to it may be fresh.
   */
  destroy(kid: string, options?: { readonly dangerouslyLoseMessages?: boolean }): Promise<void>
  /** Marks a key as used for what outlives messages, such as `"files"`: it is not destroyed. Without a purpose: no longer. */
  hold(kid: string, purpose?: string): Promise<void>
  /** All of the ring as one text under a passphrase of its own; {@link restoreKeyRing} reads it. */
  backup(passphrase: string | Uint8Array): Promise<string>
}

/** A stored ring at a server. Made by {@link openKeyRing}. */
export interface StoredKeyRing extends KeyRingManager, ReadableKeyRing {
  /** Reads the ring again, and takes the steps that are due. Called by itself, twice in `refreshSeconds`. */
  refresh(): Promise<void>
  /** Stops following, and saves the counters of use. What was read still opens. */
  close(): Promise<void>
}
