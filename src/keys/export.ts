/**
 * Exporting keys, in the forms that others read; export-jwk.ts has the one that takes no backend.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import type { CryptoKeyLike } from "../crypto/backend.ts"
import { isPrivate, membersOf } from "./export-jwk.ts"
import { type Key, materialOf } from "./key.ts"
import { encodePem } from "./pem.ts"

/** PKCS #8 or SPKI DER; private bytes are the caller's to wipe. */
export async function exportDer(key: Key): Promise<Bytes> {
  const { backend } = materialOf(key, key.type, "key")
  return backend.encodeDer(isPrivate(key) ? "pkcs8" : "spki", await membersOf(key))
}

/**
 * Exports a key as PEM (RFC 7468): SPKI, or PKCS #8 without a passphrase. See `exportProtectedPem` for one with.
 *
 * @throws `SealwireError` `ERR_KEY` when a private key is not extractable; `ERR_UNSUPPORTED` where the backend writes no DER.
 */
export async function exportPem(key: Key): Promise<string> {
  return encodePem(isPrivate(key) ? "PRIVATE KEY" : "PUBLIC KEY", await exportDer(key))
}

/**
 * Gives a key as the platform's `CryptoKey`, to store it in IndexedDB or pass it to other libraries. A private one is as
 * extractable as the key is.
 *
 * @throws `SealwireError` `ERR_UNSUPPORTED` where the key has none: on the noble backend, or behind an `unwrap` hook.
 */
export async function exportCryptoKey(key: Key): Promise<CryptoKeyLike> {
  const { handle } = materialOf(key, key.type, "key")
  if (handle.toCryptoKey) return handle.toCryptoKey()
  throw new SealwireError(
    "ERR_UNSUPPORTED",
    "this key is not a CryptoKey: its backend or key service has none",
  )
}
