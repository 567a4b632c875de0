/**
 * A body as it comes in, up to a length. In chunks of a byte it would take a hundred times as much memory: small ones are joined.
 *
 * @module
 */

import { type Bytes, join } from "../base/bytes.ts"

/** Made by {@link collectBody}. */
export interface CollectedBody {
  /** Takes a chunk; `false` when it is too much, and then what came before is dropped, too. */
  add(chunk: Uint8Array): boolean
  /** What has come. */
  bytes(): Bytes
}

const MOST_LOOSE_CHUNKS = 256

/**
 * Starts with nothing, and takes `maxBytes` at most.
 *
 * @param discard - Takes the chunks of a body that is too much; nothing else has them then.
 */
export function collectBody(
  maxBytes: number,
  discard: (chunk: Uint8Array) => void = () => undefined,
): CollectedBody {
  let parts: Uint8Array[] = []
  let loose: Uint8Array[] = []
  let length = 0
  return {
    add(chunk) {
      length += chunk.length
      if (length > maxBytes) {
        for (const each of [...parts, ...loose, chunk]) discard(each)
        parts = loose = []
        return false
      }
      loose.push(chunk)
      if (loose.length === MOST_LOOSE_CHUNKS) {
        parts.push(join(loose))
        loose = []
      }
      return true
    },
    bytes: () => join([...parts, ...loose]),
  }
}
