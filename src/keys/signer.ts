/**
 * Signing and verifying keys: Ed25519 or P-256, imported or generated. docs/protocol.md §2 and §3.3.
 *
 * @module
 */

import { backend as platform } from "#backend"

import { assertOptions } from "../base/options.ts"
import type {
  Backend,
  Jwk,
  PublicJwk,
  SignatureAlgorithm,
  SignHandle,
  VerifyHandle,
} from "../crypto/backend.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import {
  algorithmOf,
  checkPrivateSigner,
  checkVerifier,
  orRefuse,
  publicPart,
  refuseKey,
  UNFIT,
} from "./jwk.ts"
import { materialOf, registerKey, type SigningKey, type VerifyingKey } from "./key.ts"
import {
  PRIVATE_KEY_OPTIONS,
  type PrivateKeyOptions,
  PUBLIC_KEY_OPTIONS,
  type PublicKeyOptions,
} from "./options.ts"
import { type PrivateKeySource, type PublicKeySource, readSource } from "./source.ts"
import { thumbprintOf, verifiedThumbprint } from "./thumbprint.ts"

/** Options of {@link generateSigningKeyPair}. */
export interface GenerateSigningKeyPairOptions extends PrivateKeyOptions {
  /** JWS algorithm (RFC 9864, RFC 7518): `"Ed25519"` or `"ES256"`. Default: `"Ed25519"`. */
  readonly algorithm?: SignatureAlgorithm
}

/** A sender's two keys. */
export interface SigningKeyPair {
  readonly signingKey: SigningKey
  readonly verifyingKey: VerifyingKey
}

async function registerVerifyingKey(backend: Backend, jwk: PublicJwk, kid: string): Promise<VerifyingKey> {
  const algorithm = algorithmOf(jwk)
  const handle = await orRefuse(UNFIT, () => backend.importVerifyKey(jwk, algorithm))
  return registerKey({ type: "verifying", kid, algorithm }, { backend, jwk, handle })
}

/** The verifying key of a JWK that came from outside; throws `ERR_KEY` as {@link importVerifyingKey} does. */
export async function verifyingKeyOf(backend: Backend, jwk: Jwk): Promise<VerifyingKey> {
  const publicJwk = checkVerifier(jwk)
  return registerVerifyingKey(backend, publicJwk, await verifiedThumbprint(backend, publicJwk, jwk))
}

function registerSigningKey(verifyingKey: VerifyingKey, handle: SignHandle): SigningKey {
  const { backend, jwk } = materialOf(verifyingKey, "verifying", "verifyingKey")
  const { kid, algorithm } = verifyingKey
  return registerKey({ type: "signing", kid, algorithm, verifyingKey }, { backend, jwk, handle })
}

/** Uses both halves on each other, so that a private key with another's public part is refused at once. */
async function assertPair(backend: Backend, signing: SignHandle, verifying: VerifyHandle): Promise<void> {
  const probe = backend.randomBytes(KEY_BYTES)
  try {
    if (await verifying.verify(await signing.sign(probe), probe)) return
  } catch {
    // a key that may not sign throws here
  }
  refuseKey("the private key does not work with its public part")
}

/**
 * Imports the key that others' signatures are verified with.
 *
 * @param source - SPKI as PEM or DER, a JWK, or an extractable `CryptoKey` of Ed25519 or P-256.
 * @throws `SealwireError` `ERR_KEY` for every key that the protocol refuses (§2), saying which rule it breaks;
 *   `ERR_UNSUPPORTED` where the backend cannot read that form.
 */
export async function importVerifyingKey(
  source: PublicKeySource,
  options: PublicKeyOptions = {},
): Promise<VerifyingKey> {
  assertOptions(options, "options", PUBLIC_KEY_OPTIONS)
  const { backend = platform } = options
  return verifyingKeyOf(backend, (await readSource(backend, "spki", source)).jwk)
}

/**
 * Imports the key that one's own messages are signed with.
 *
 * @param source - PKCS #8 as PEM or DER, a JWK, or a `CryptoKey` of Ed25519 or P-256 (one that is not extractable as the
 *   pair `{ publicKey, privateKey }`).
 * @throws `SealwireError` `ERR_KEY` for every key that the protocol refuses (§2), saying which rule it breaks;
 *   `ERR_UNSUPPORTED` where the backend cannot read that form.
 */
export async function importSigningKey(
  source: PrivateKeySource,
  options: PrivateKeyOptions = {},
): Promise<SigningKey> {
  assertOptions(options, "options", PRIVATE_KEY_OPTIONS)
  const { backend = platform, extractable = false } = options
  const { jwk, native } = await readSource(backend, "pkcs8", source)
  const secret = native ?? checkPrivateSigner(jwk)
  const publicJwk = native ? checkVerifier(jwk) : publicPart(jwk)
  const kid = await verifiedThumbprint(backend, publicJwk, jwk)
  const verifyingKey = await registerVerifyingKey(backend, publicJwk, kid)
  const algorithm = algorithmOf(publicJwk)
  const handle = await orRefuse(UNFIT, () => backend.importSignKey(secret, algorithm, extractable))
  await assertPair(backend, handle, materialOf(verifyingKey, "verifying", "source").handle)
  return registerSigningKey(verifyingKey, handle)
}

/** Generates a sender's key pair. */
export async function generateSigningKeyPair(
  options: GenerateSigningKeyPairOptions = {},
): Promise<SigningKeyPair> {
  assertOptions(options, "options", [...PRIVATE_KEY_OPTIONS, "algorithm"])
  const { backend = platform, extractable = false, algorithm = "Ed25519" } = options
  if (algorithm !== "Ed25519" && (algorithm as string) !== "ES256") {
    throw new RangeError(`algorithm must be "Ed25519" or "ES256", not ${String(algorithm)}`)
  }
  const { publicJwk, handle } = await backend.generateSignature(algorithm, extractable)
  const jwk = publicPart(publicJwk)
  const verifyingKey = await registerVerifyingKey(backend, jwk, await thumbprintOf(backend, jwk))
  return { signingKey: registerSigningKey(verifyingKey, handle), verifyingKey }
}
