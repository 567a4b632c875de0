/**
 * Exporting keys as JSON Web Keys.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { Jwk, PublicJwk } from "../crypto/backend.ts"
import { type Key, materialOf } from "./key.ts"

/** Whether a key has a part that is secret. */
export const isPrivate = (key: Key): boolean => key.type === "private" || key.type === "signing"

/** The members of a key, private ones where it is private. */
export async function membersOf(key: Key): Promise<PublicJwk> {
  const { jwk, handle } = materialOf(key, key.type, "key")
  if (!isPrivate(key)) return jwk
  if (handle.toJwk) return handle.toJwk()
  throw new SealwireError(
    "ERR_KEY",
    "this key is not extractable: import or generate it with `extractable: true`",
  )
}

/**
 * Exports a key as a JWK (RFC 7517) that states its `alg`, `use` and `kid`.
 *
 * @throws `SealwireError` `ERR_KEY` when a private key is not extractable.
 */
export async function exportJwk(key: Key): Promise<Jwk> {
  const members = await membersOf(key)
  const declared =
    "modulusBits" in key ? { alg: "RSA-OAEP-256", use: "enc" } : { alg: key.algorithm, use: "sig" }
  return { ...members, ...declared, kid: key.kid }
}
