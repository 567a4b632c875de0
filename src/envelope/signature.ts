/**
 * The sender's signature inside an envelope: a compact JWS (RFC 7515) over the digest of what it is sealed with. docs/protocol.md §3.3.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import type { SignatureAlgorithm } from "../crypto/backend.ts"
import { materialOf, type SigningKey } from "../keys/key.ts"
import { signJws } from "../keys/sign-jws.ts"
import { type Covered, signatureDigestOf } from "./digest.ts"

const headerOf = (algorithm: SignatureAlgorithm, kid: string): string =>
  `{"alg":"${algorithm}","kid":"${kid}","typ":"sw1-sig"}`

/** How long S is. */
export function signatureBytes(algorithm: SignatureAlgorithm): number {
  const header = headerOf(algorithm, "").length + 43
  return Math.ceil((header * 4) / 3) + ".".length + 43 + ".".length + 86
}

/** S: the signature of a sender. */
export async function sign(key: SigningKey, covered: Covered): Promise<Bytes> {
  const { backend } = materialOf(key, "signing", "signWith")
  const payload = await signatureDigestOf(backend, covered)
  return encodeAscii(await signJws(key, headerOf(key.algorithm, key.kid), payload))
}
