/**
 * The context: what a message must not be moved away from. The header has its hash. docs/protocol.md §3.1.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed } from "../base/bytes.ts"
import { copyBytes, label } from "../base/text.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"

/** `ctx = b64u(H256(label("context") ‖ lp(context)))` */
export async function contextHashOf(backend: Backend, context: Bytes): Promise<string> {
  return encodeBase64url(await backend.sha256(concatPrefixed(label("context"), [context])))
}

/** The last text and its hash, which headers show to everyone: most callers have one context, and hashing it costs 3 µs each time. */
let last: { readonly text: string; readonly hash: string } | undefined
const LONGEST_KEPT = 1024

/** Reads the option `context`: copied now, hashed when it is known with which backend. */
export function readContext(context: string | Uint8Array): (backend: Backend) => MaybePromise<string> {
  const known = last
  if (context === known?.text) return () => known.hash
  const bytes = copyBytes(context, "options.context")
  return async (backend) => {
    const hash = await contextHashOf(backend, bytes)
    if (typeof context === "string" && context.length <= LONGEST_KEPT) last = { text: context, hash }
    return hash
  }
}
