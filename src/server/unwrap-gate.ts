/**
 * A bound on private-key operations that run or wait at once: beyond it a message is refused before it costs one. docs/protocol.md §3.4.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { SelectedKey } from "../envelope/read.ts"

/** Gives a key back with its operation bounded, all keys together. */
export function unwrapGate(maxPending: number): (key: SelectedKey) => SelectedKey {
  let pending = 0
  return (key) => ({
    ...key,
    async contentKey(encryptedKey, nonce) {
      if (pending >= maxPending) {
        throw new SealwireError(
          "ERR_KEY_UNAVAILABLE",
          "as many messages are being opened as may be at once",
          {
            retryAfterSeconds: 1,
          },
        )
      }
      pending++
      try {
        return await key.contentKey(encryptedKey, nonce)
      } finally {
        pending--
      }
    },
  })
}
