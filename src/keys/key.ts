/**
 * Key objects: what a caller holds, and, apart from it, the material that only this library reaches. docs/protocol.md §2.
 * Nothing secret is a property of a key, so logging or inspecting one shows its name and size only.
 *
 * @module
 */

import { describe } from "../base/text.ts"
import type {
  Backend,
  ModulusBits,
  PublicJwk,
  SignatureAlgorithm,
  SignHandle,
  UnwrapHandle,
  VerifyHandle,
  WrapHandle,
} from "../crypto/backend.ts"

/** A recipient's public key: messages are sealed to it. */
export interface PublicKey {
  readonly type: "public"
  /** RFC 7638 SHA-256 thumbprint, 43 characters of base64url; always recomputed, never believed. */
  readonly kid: string
  /** Size of the RSA modulus. */
  readonly modulusBits: ModulusBits
}

/** A recipient's private key: messages are opened with it. */
export interface PrivateKey {
  readonly type: "private"
  /** The thumbprint of {@link PrivateKey.publicKey}. */
  readonly kid: string
  /** Size of the RSA modulus. */
  readonly modulusBits: ModulusBits
  /** What others seal to. */
  readonly publicKey: PublicKey
}

/** A sender's private key: proves who sealed a message. */
export interface SigningKey {
  readonly type: "signing"
  /** The thumbprint of {@link SigningKey.verifyingKey}. */
  readonly kid: string
  /** JWS algorithm: `"Ed25519"` (RFC 9864) or `"ES256"` (RFC 7518 §3.4). */
  readonly algorithm: SignatureAlgorithm
  /** What others verify with. */
  readonly verifyingKey: VerifyingKey
}

/** A sender's public key. */
export interface VerifyingKey {
  readonly type: "verifying"
  /** RFC 7638 SHA-256 thumbprint, 43 characters of base64url. */
  readonly kid: string
  /** JWS algorithm: `"Ed25519"` (RFC 9864) or `"ES256"` (RFC 7518 §3.4). */
  readonly algorithm: SignatureAlgorithm
}

/** Any key of this library. */
export type Key = PublicKey | PrivateKey | SigningKey | VerifyingKey

interface Material<Handle> {
  readonly backend: Backend
  /** The public members that the thumbprint covers. */
  readonly jwk: PublicJwk
  readonly handle: Handle
}

/** What stands behind a {@link PublicKey}. */
export type PublicMaterial = Material<WrapHandle>
/** What stands behind a {@link PrivateKey}. */
export interface PrivateMaterial extends Material<UnwrapHandle> {
  /** When this process made the key, on the scale of `processTime`; undefined for a key from outside. */
  readonly madeAtMs: number | undefined
}
/** What stands behind a {@link SigningKey}. */
export type SigningMaterial = Material<SignHandle>
/** What stands behind a {@link VerifyingKey}. */
export type VerifyingMaterial = Material<VerifyHandle>

interface Materials {
  readonly public: PublicMaterial
  readonly private: PrivateMaterial
  readonly signing: SigningMaterial
  readonly verifying: VerifyingMaterial
}

const materials = new WeakMap<Key, Materials[Key["type"]]>()

/** Freezes a key and remembers its material. */
export function registerKey<K extends Key>(key: K, material: Materials[K["type"]]): K {
  materials.set(key, material)
  return Object.freeze(key)
}

/**
 * The material behind a key.
 *
 * @throws `TypeError` naming the argument, unless `key` is a key of this library of that type.
 */
export function materialOf<Type extends Key["type"]>(
  key: Extract<Key, { type: Type }>,
  type: Type,
  name: string,
): Materials[Type] {
  const found: unknown = materials.get(key)
  if (found === undefined || key.type !== type) {
    const came = found === undefined ? describe(key) : `a ${key.type} key`
    throw new TypeError(
      `${name} must be a ${type} key made by this library's import or generate functions, not ${came}`,
    )
  }
  return found as Materials[Type]
}
