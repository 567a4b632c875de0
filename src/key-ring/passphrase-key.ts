/**
 * A key of a passphrase: PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2), as many iterations as for single keys under one.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { copyBytes } from "../base/text.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { subtle } from "../crypto/subtle.ts"

const ITERATIONS = 600_000

/** 32 bytes of a passphrase and a salt. Takes a fraction of a second. */
export async function derivePassphraseKey(passphrase: string | Uint8Array, salt: Bytes): Promise<Bytes> {
  const bytes = copyBytes(passphrase, "passphrase")
  if (bytes.length === 0) throw new RangeError("passphrase must not be empty")
  const secret = await subtle().importKey("raw", bytes, "PBKDF2", false, ["deriveBits"])
  bytes.fill(0)
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS }
  return new Uint8Array(await subtle().deriveBits(derivation, secret, 8 * KEY_BYTES))
}
