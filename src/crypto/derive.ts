/**
 * Key derivation: HKDF with SHA-256, cut to the one block that this protocol needs. docs/protocol.md §1 and §5.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { type Label, label } from "../base/text.ts"
import type { Backend, MaybePromise } from "./backend.ts"

const ONE = new Uint8Array([1])

/** `expand(key, s, data)`: HKDF-Expand, one block of 32 bytes (RFC 5869 §2.3). */
export function expand(backend: Backend, key: Bytes, name: Label, data: Bytes): MaybePromise<Bytes> {
  return backend.hmacSha256(key, concat(label(name), data, ONE))
}
