/**
 * Names of keys: the JWK thumbprint with SHA-256 (RFC 7638). docs/protocol.md §2.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { backend as platform } from "#backend"

import { assertOptions } from "../base/options.ts"
import { describe, encodeAscii } from "../base/text.ts"
import type { Backend, Jwk, PublicJwk } from "../crypto/backend.ts"
import { checkPublicRecipient, checkVerifier, refuseKey } from "./jwk.ts"
import { PUBLIC_KEY_OPTIONS, type PublicKeyOptions } from "./options.ts"

/** The `kid` of checked public members, 43 characters. */
export async function thumbprintOf(backend: Backend, jwk: PublicJwk): Promise<string> {
  const names = Object.keys(jwk).sort()
  const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])))
  return encodeBase64url(await backend.sha256(encodeAscii(canonical)))
}

/** Recomputes the `kid`, and refuses a JWK that states another. */
export async function verifiedThumbprint(backend: Backend, jwk: PublicJwk, stated: Jwk): Promise<string> {
  const kid = await thumbprintOf(backend, jwk)
  if (stated["kid"] !== undefined && stated["kid"] !== kid) {
    refuseKey('"kid" must be the RFC 7638 thumbprint, where it is stated')
  }
  return kid
}

/**
 * Computes the name of a public JWK: its RFC 7638 SHA-256 thumbprint, 43 characters. The same as `kid` of the imported key.
 *
 * @throws `SealwireError` `ERR_KEY` for every key that the protocol refuses (§2).
 */
export async function thumbprint(jwk: Jwk, options: PublicKeyOptions = {}): Promise<string> {
  assertOptions(options, "options", PUBLIC_KEY_OPTIONS)
  if (typeof jwk !== "object" || (jwk as unknown) === null) {
    throw new TypeError(`jwk must be a JWK, not ${describe(jwk)}`)
  }
  const publicJwk = jwk.kty === "RSA" ? checkPublicRecipient(jwk) : checkVerifier(jwk)
  return verifiedThumbprint(options.backend ?? platform, publicJwk, jwk)
}
