/**
 * The hashes and derived names of an envelope. docs/protocol.md §3.1, §3.2 and §4.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed } from "../base/bytes.ts"
import { encodeAscii, label } from "../base/text.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"

const EMPTY = new Uint8Array(0)

/** `jti` before its encoding: `expand(seed, "nonce", "", 16)`. */
export async function nonceOf(backend: Backend, seed: Bytes): Promise<Bytes> {
  return (await expand(backend, seed, "nonce", EMPTY)).slice(0, 16)
}

/** What D and the signature cover: H, the seed, and MH, the digest of the message. */
export interface Covered {
  readonly headerSegment: Bytes
  readonly seed: Bytes
  readonly messageDigest: Bytes
}

/** The hash of what holds a seed. It is wiped, since memory that was freed keeps what stood in it until it is used again. */
function hashAndWipe(backend: Backend, joined: Bytes): MaybePromise<Bytes> {
  const digest = backend.sha256(joined)
  if (digest instanceof Promise) return digest.finally(() => joined.fill(0))
  joined.fill(0)
  return digest
}

/** `D = H256(label("digest") ‖ lp(H) ‖ lp(seed) ‖ lp(S) ‖ MH)` */
export function digestOf(backend: Backend, covered: Covered, signature: Bytes): MaybePromise<Bytes> {
  const { headerSegment, seed, messageDigest } = covered
  return hashAndWipe(
    backend,
    concatPrefixed(label("digest"), [headerSegment, seed, signature], messageDigest),
  )
}

/** `H256(label("signature") ‖ lp(H) ‖ lp(seed) ‖ MH)`: the payload of a signature. */
export function signatureDigestOf(backend: Backend, covered: Covered): MaybePromise<Bytes> {
  const { headerSegment, seed, messageDigest } = covered
  return hashAndWipe(backend, concatPrefixed(label("signature"), [headerSegment, seed], messageDigest))
}

/** `b64u(H256(label("claim") ‖ lp(kid) ‖ lp(jti)))`: the id under which a replay store holds an envelope. */
export async function claimIdOf(backend: Backend, kid: string, id: string): Promise<string> {
  return encodeBase64url(
    await backend.sha256(concatPrefixed(label("claim"), [encodeAscii(kid), encodeAscii(id)])),
  )
}
