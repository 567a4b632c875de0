/**
 * The context: what a message must not be moved away from. The header has its hash. docs/protocol.md §3.1.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { andThen } from "../base/maybe-promise.ts"
import { copyBytes } from "../base/text.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { hashOf } from "../crypto/derive.ts"

/** `ctx = b64u(H256(label("context") ‖ lp(context)))` */
export function contextHashOf(backend: Backend, context: Bytes): MaybePromise<string> {
  return andThen(hashOf(backend, "context", [context]), encodeBase64url)
}

/** A context that nobody can change any more. */
export interface Context {
  readonly bytes: Bytes
  /** `ctx`; hashed when it is known with which backend, and once. */
  readonly hash: (backend: Backend) => MaybePromise<string>
}

/** The context of these bytes. */
export function contextOf(bytes: Bytes): Context {
  let known: string | undefined
  return {
    bytes,
    hash: (backend) => known ?? andThen(contextHashOf(backend, bytes), (hash) => (known = hash)),
  }
}

/** The last text, as a context: most callers have one, its hash is public, and hashing it costs 3 µs each time. */
let last: { readonly text: string; readonly context: Context } | undefined
const LONGEST_KEPT = 1024

/** Reads the option `context`. */
export function readContext(given: string | Uint8Array): Context {
  if (last?.text === given) return last.context
  const context = contextOf(copyBytes(given, "options.context"))
  if (typeof given === "string" && given.length <= LONGEST_KEPT) last = { text: given, context }
  return context
}
