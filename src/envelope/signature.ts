/**
 * The sender's signature inside an envelope: a compact JWS (RFC 7515) over the digest of what it is sealed with. docs/protocol.md §3.3.
 *
 * @module
 */

import { type Bytes, equalConstantTime } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { SignatureAlgorithm } from "../crypto/backend.ts"
import { isSignedBy, parseJws, signJws } from "../keys/jws.ts"
import { materialOf, type SigningKey, type VerifyingKey } from "../keys/key.ts"
import { type Covered, signatureDigestOf } from "./digest.ts"

/** Finds the key of a signer by its thumbprint; undefined for a stranger. */
export type FindSigner = (kid: string) => VerifyingKey | undefined | Promise<VerifyingKey | undefined>

const HEADER = /^\{"alg":"(Ed25519|ES256)","kid":"([\w-]{43})","typ":"sw1-sig"\}$/

const headerOf = (algorithm: SignatureAlgorithm, kid: string): string =>
  `{"alg":"${algorithm}","kid":"${kid}","typ":"sw1-sig"}`

/** How long S is. */
export function signatureBytes(algorithm: SignatureAlgorithm): number {
  const header = headerOf(algorithm, "").length + 43
  return Math.ceil((header * 4) / 3) + ".".length + 43 + ".".length + 86
}

/** S: the signature of a sender, or nothing. */
export async function sign(key: SigningKey | undefined, covered: Covered): Promise<Bytes> {
  if (!key) return new Uint8Array(0)
  const { backend } = materialOf(key, "signing", "signWith")
  const payload = await signatureDigestOf(backend, covered)
  return encodeAscii(await signJws(key, headerOf(key.algorithm, key.kid), payload))
}

/** The thumbprint of who made S; undefined unless it is a signature of exactly this by a key that `find` knows. */
export async function verify(
  signature: Bytes,
  covered: Covered,
  find: FindSigner,
): Promise<string | undefined> {
  const jws = parseJws(decodeUtf8(signature) ?? "")
  const [, algorithm, kid] = HEADER.exec(jws?.header ?? "") ?? []
  const key = kid === undefined ? undefined : await find(kid)
  if (!jws || !key) return undefined
  const { backend } = materialOf(key, "verifying", "the key of a signer")
  if (key.kid !== kid || key.algorithm !== algorithm) return undefined
  if (!equalConstantTime(await signatureDigestOf(backend, covered), jws.payload)) return undefined
  return (await isSignedBy(key, jws)) ? kid : undefined
}
