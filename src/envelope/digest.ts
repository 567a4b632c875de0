/**
 * The hashes and derived names of an envelope. docs/protocol.md §3.1, §3.2 and §4.
 *
 * @module
 */

import { asciiBytes, encodeBase64url } from "#base64url"

import { type Bytes, NOTHING } from "../base/bytes.ts"
import { andThen } from "../base/maybe-promise.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { expand, hashOf } from "../crypto/derive.ts"

/** `jti` before its encoding: `expand(seed, "nonce", "", 16)`. */
export function nonceOf(backend: Backend, seed: Bytes): MaybePromise<Bytes> {
  return andThen(expand(backend, seed, "nonce", NOTHING), (block) => block.slice(0, 16))
}

/** What D and the signature cover: H, the seed, and MH, the digest of the message. */
export interface Covered {
  readonly headerSegment: Bytes
  readonly seed: Bytes
  readonly messageDigest: Bytes
}

/** `D = H256(label("digest") ‖ lp(H) ‖ lp(seed) ‖ lp(S) ‖ MH)` */
export function digestOf(backend: Backend, covered: Covered, signature: Bytes): MaybePromise<Bytes> {
  const { headerSegment, seed, messageDigest } = covered
  return hashOf(backend, "digest", [headerSegment, seed, signature], messageDigest)
}

/** `H256(label("signature") ‖ lp(H) ‖ lp(seed) ‖ MH)`: the payload of a signature. */
export function signatureDigestOf(backend: Backend, covered: Covered): MaybePromise<Bytes> {
  const { headerSegment, seed, messageDigest } = covered
  return hashOf(backend, "signature", [headerSegment, seed], messageDigest)
}

/** `b64u(H256(label("claim") ‖ lp(kid) ‖ lp(jti)))`: the id under which a replay store holds an envelope. */
export function claimIdOf(backend: Backend, kid: string, id: string): MaybePromise<string> {
  return andThen(hashOf(backend, "claim", [kid, id].map(asciiBytes)), encodeBase64url)
}
