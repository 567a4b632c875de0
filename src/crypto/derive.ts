/**
 * What this protocol makes of SHA-256: labelled hashes, and HKDF, cut to the one block that it needs. docs/protocol.md §1 and §5.
 *
 * @module
 */

import { type Bytes, concat, concatPrefixed, NOTHING } from "../base/bytes.ts"
import { andThen, isLater } from "../base/maybe-promise.ts"
import { type Label, label } from "../base/text.ts"
import type { Backend, MaybePromise } from "./backend.ts"

const ONE = new Uint8Array([1])

/** `expand(key, s, data)`: HKDF-Expand, one block of 32 bytes (RFC 5869 §2.3). */
export function expand(backend: Backend, key: Bytes, name: Label, data: Bytes): MaybePromise<Bytes> {
  return backend.hmacSha256(key, concat(label(name), data, ONE))
}

/** Room for what is hashed, kept for the next time: to allocate and to free it takes longer than a short hash. */
let room: Bytes = /* @__PURE__ */ new Uint8Array(4096)

/** `H256(label(name) ‖ lp(field) ‖ … ‖ tail)`. What was joined is wiped: it may hold a seed. */
export function hashOf(
  backend: Backend,
  name: Label,
  fields: readonly Bytes[],
  tail?: Bytes,
): MaybePromise<Bytes> {
  const joined = concatPrefixed(label(name), fields, tail, room)
  const digest = backend.sha256(joined)
  // a platform that answers later reads it later, when another hash may have been asked for
  if (isLater(digest)) room = NOTHING
  return andThen(digest, (known) => {
    joined.fill(0)
    return known
  })
}
