/**
 * Idempotency stores: what is known of operations, by their ids. docs/protocol.md §8.3. What a content means is not the store's
 * business; the time is: one clock for all who share it.
 *
 * @module
 */

import type { MaybePromise } from "../crypto/backend.ts"

/**
 * Remembers operations. Implement this to use another database, and run `idempotencyStoreContract` of `sealwire/testing` on it.
 *
 * Each method is atomic across all processes that share the store. `begin` and `finish` are called once for each operation, `find`
 * while one waits for another's end. An id is 43 characters of base64url. What `begin` and `find` throw refuses the request, which
 * is then not carried out.
 */
export interface IdempotencyStore {
  /** Contents stay in this process. Absent: they leave it, and are encrypted before. */
  readonly inProcess?: true
  /**
   * Keeps `content` under an id that the store does not hold.
   *
   * @param keepSeconds - How long, by the store's clock: not forgotten before. To the millisecond.
   * @returns Undefined to exactly one caller, who is to carry out the operation; to all others what is held.
   * @throws Anything, when the answer is not known; `SealwireError` `ERR_STORE_FULL` when there is no room. What lives is never evicted.
   */
  begin(id: string, content: Uint8Array, keepSeconds: number): MaybePromise<Uint8Array | undefined>
  /** What is held under an id. */
  find(id: string): MaybePromise<Uint8Array | undefined>
  /**
   * Replaces `begun` by `content`, if `begun` is what is held still, for the rest of its time.
   *
   * @returns Whether it did: `false` where somebody has finished it, or it has been forgotten.
   * @throws As `begin`. What was held is held still, or `content` is.
   */
  finish(id: string, begun: Uint8Array, content: Uint8Array): MaybePromise<boolean>
}
