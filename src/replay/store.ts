/**
 * Replay stores. A store remembers message ids until they expire, so that a message opens once.
 * docs/protocol.md §4. Clock and skew are the guard's business, not the store's.
 *
 * @module
 */

/** Remembers ids for a {@link ReplayGuard}. Implement this to use another database. */
export interface ReplayStore {
  /**
   * Records `id` unless it is already held.
   *
   * Called once per message, after the message has been authenticated. Must be atomic across every
   * process that shares the store: of two concurrent calls with one id, exactly one gets `true`.
   *
   * @param id - Base64url of a SHA-256, 43 characters; a store may keep any 128 bits of it.
   * @param expiresAtMs - Unix milliseconds. The id may be forgotten after this moment, never before.
   * @returns `true` if the id is new, `false` if it was already held.
   * @throws Anything, when the answer is not known. The guard then refuses the message.
   */
  claim(id: string, expiresAtMs: number): Promise<boolean>

  /**
   * Unix milliseconds: claims made before this moment may be forgotten. Absent: the store never forgets.
   *
   * Read after each claim. The guard refuses what was sent before it, for as long as that could be fresh.
   */
  readonly knowsSince?: () => number
}
