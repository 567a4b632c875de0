/**
 * Whom to seal to: keys that the application brings, or those that the server's key directory names. docs/protocol.md §7.
 *
 * @module
 */

import type { PublicKey } from "../keys/key.ts"

/** The server's keys. */
export interface KeySource {
  /** At least one; messages are sealed to the first. */
  keys(): Promise<readonly PublicKey[]>
  /** After the uniform refusal of a message to `kid`: whether the first key is another one now. */
  refresh(kid: string): Promise<boolean>
}

/** Keys that the application brings; the next one's turn comes with a refusal. */
export function fixedKeys(given: readonly PublicKey[]): KeySource {
  let keys = given
  return {
    keys: async () => keys,
    async refresh(kid) {
      const [first, ...others] = keys
      if (first?.kid === kid) keys = [...others, first]
      return keys[0]?.kid !== kid
    },
  }
}

/** Keys from a source that is still to come. */
export const keysFrom = (source: () => Promise<KeySource>): KeySource => ({
  keys: async () => (await source()).keys(),
  refresh: async (kid) => (await source()).refresh(kid),
})
