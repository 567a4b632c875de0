/**
 * WebCrypto keys, as both the web and the node backend use them.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type {
  CryptoKeyLike,
  Jwk,
  KeyHandle,
  PrivateJwk,
  PublicJwk,
  SignatureAlgorithm,
  SignHandle,
  UnwrapHandle,
} from "./backend.ts"

/** RSAES-OAEP with SHA-256; WebCrypto takes the same hash for MGF1, and an empty label. */
export const OAEP = { name: "RSA-OAEP", hash: "SHA-256" } as const

/** What WebCrypto calls each signature algorithm: when a key is made, and when it signs. */
export const SIGNATURES = {
  Ed25519: { key: { name: "Ed25519" }, use: { name: "Ed25519" } },
  ES256: { key: { name: "ECDSA", namedCurve: "P-256" }, use: { name: "ECDSA", hash: "SHA-256" } },
} as const

/**
 * WebCrypto of this runtime.
 *
 * @throws `SealwireError` `ERR_UNSUPPORTED` on a page that is not a secure context.
 */
export function subtle(): SubtleCrypto {
  const found = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle
  if (found) return found
  throw new SealwireError(
    "ERR_UNSUPPORTED",
    "crypto.subtle is missing: serve the page over https, or pass `backend: noble` from sealwire/noble",
  )
}

/** Whether a key source is the platform's own object. */
export function isCryptoKey(source: object): source is CryptoKeyLike {
  return Object.prototype.toString.call(source) === "[object CryptoKey]"
}

/** A JWK without the members that the import's arguments already say. */
export function bareJwk(jwk: PublicJwk): JsonWebKey {
  const { alg, kid, ...rest } = jwk
  return rest
}

/** The members that a key has; workerd also names some that it has not. */
async function membersOf(key: CryptoKey): Promise<JsonWebKey> {
  const jwk = await subtle().exportKey("jwk", key)
  return Object.fromEntries(Object.entries(jwk).filter(([, value]) => value !== undefined))
}

/** An extractable key as a JWK, without what its use already says. */
export async function exportBareJwk<T extends PublicJwk>(key: CryptoKey): Promise<T> {
  const { ext, key_ops, alg, ...members } = await membersOf(key)
  return members as T
}

function keyHandle(key: CryptoKey): KeyHandle {
  const toCryptoKey = (): Promise<CryptoKeyLike> => Promise.resolve(key)
  return key.extractable ? { toCryptoKey, toJwk: () => exportBareJwk<PrivateJwk>(key) } : { toCryptoKey }
}

/** A private RSA key over one `CryptoKey`. */
export function unwrapHandle(key: CryptoKey): UnwrapHandle {
  return {
    ...keyHandle(key),
    unwrap: async (encryptedKey) => new Uint8Array(await subtle().decrypt(OAEP, key, encryptedKey)),
  }
}

/** A signing key over one `CryptoKey`. */
export function signHandle(key: CryptoKey, algorithm: SignatureAlgorithm): SignHandle {
  return {
    ...keyHandle(key),
    sign: async (data) => new Uint8Array(await subtle().sign(SIGNATURES[algorithm].use, key, data)),
  }
}

/** Reads a `CryptoKey` as a JWK; rejects when it is not extractable. */
export async function decodeCryptoKey(key: CryptoKeyLike): Promise<Jwk> {
  const { ext, ...members } = await membersOf(key as CryptoKey)
  return members as Jwk
}
