/**
 * A body as it comes in, up to a length, in one piece of memory: what comes in chunks of a byte must not take a hundred times as much.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"

/** Made by {@link collectBody}. */
export interface CollectedBody {
  /** Takes a copy of a chunk; `false` when it is too much, and then what came before is dropped, too. */
  add(chunk: Uint8Array): boolean
  /** What has come. */
  bytes(): Bytes
}

/** Starts with nothing, and grows to `maxBytes` at most. */
export function collectBody(maxBytes: number): CollectedBody {
  let held = new Uint8Array(0)
  let length = 0
  return {
    add(chunk) {
      const all = length + chunk.length
      if (all > maxBytes) {
        held = new Uint8Array(0)
        return false
      }
      if (all > held.length) {
        const grown = new Uint8Array(Math.min(maxBytes, Math.max(all, 2 * held.length)))
        grown.set(held.subarray(0, length))
        held = grown
      }
      held.set(chunk, length)
      length = all
      return true
    },
    bytes: () => held.subarray(0, length),
  }
}
