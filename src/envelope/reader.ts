/**
 * Who reads: the option that gives a private key or a ring of them, and the one that gives the guard.
 *
 * @module
 */

import { describe } from "../base/text.ts"
import { materialOf, type PrivateKey } from "../keys/key.ts"
import type { ReadableKeyRing } from "../keys/ring.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import type { SelectedKey } from "./read.ts"

function isRing(reader: PrivateKey | ReadableKeyRing): reader is ReadableKeyRing {
  // an array, too, has a find
  return (
    typeof (reader as Partial<ReadableKeyRing> | undefined)?.find === "function" && !Array.isArray(reader)
  )
}

function selectedKey(key: PrivateKey, name: string): SelectedKey {
  const { backend, handle, madeAtMs } = materialOf(key, "private", name)
  return {
    backend,
    madeAtMs,
    encryptedKeyBytes: key.modulusBits / 8,
    contentKey: (encryptedKey) => handle.unwrap(encryptedKey),
  }
}

/**
 * Step 4 of docs/protocol.md §3.4: one key by its name, no trial decryption.
 *
 * @throws `TypeError` naming the option, unless `reader` is a private key or a ring.
 */
export function keySelector(
  reader: PrivateKey | ReadableKeyRing,
  name = "options.with",
): (kid: string) => SelectedKey | undefined {
  if (isRing(reader)) {
    return (kid) => {
      const key = reader.find(kid)
      return key && selectedKey(key, name)
    }
  }
  const only = selectedKey(reader, name)
  return (kid) => (kid === reader.kid ? only : undefined)
}

/** Checks the option that gives the guard. */
export function assertGuard(replay: ReplayGuard): void {
  if (typeof (replay as Partial<ReplayGuard> | undefined)?.admit === "function") return
  throw new TypeError(
    `options.replay must be a replay guard, made by createReplayGuard, not ${describe(replay)}`,
  )
}
