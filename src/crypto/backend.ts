/**
 * The interface between the protocol and a platform's cryptography. It knows primitives and key forms, never an envelope.
 *
 * Three implementations: node.ts (`node:crypto`), web.ts (WebCrypto), noble.ts (plain TypeScript, no private RSA operation).
 * `package.json#imports` picks between the first two; the third is passed explicitly. All pass contracts/backend.ts.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { MaybePromise } from "../base/maybe-promise.ts"

export type { MaybePromise } from "../base/maybe-promise.ts"

/** Moduli of recipient keys (docs/protocol.md §2). */
export type ModulusBits = 2048 | 3072 | 4096

/** JWS algorithms of signing keys (docs/protocol.md §2). */
export type SignatureAlgorithm = "Ed25519" | "ES256"

/** A JSON Web Key (RFC 7517), as read or written. */
export interface Jwk {
  readonly kty: string
  readonly [member: string]: unknown
}

/** A public JWK whose every member has been checked (docs/protocol.md §2). */
export interface PublicJwk {
  readonly kty: string
  readonly [member: string]: string
}

/** A private JWK whose every member has been checked (docs/protocol.md §2). */
export interface PrivateJwk extends PublicJwk {
  readonly d: string
}

/** The platform's `CryptoKey`, described without the platform's types. */
export interface CryptoKeyLike {
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: object
  readonly usages: readonly string[]
}

/** An imported key of any role. */
export interface KeyHandle {
  /** The key as the platform's own object, where the backend has one. */
  toCryptoKey?(): Promise<CryptoKeyLike>
  /** The private members; absent on public keys and on keys that are not extractable. */
  toJwk?(): MaybePromise<PrivateJwk>
}

/** A recipient's public key: RSAES-OAEP with SHA-256, MGF1-SHA-256 and an empty label (RFC 8017 §7.1). */
export interface WrapHandle extends KeyHandle {
  /** Encrypts the 32 bytes of a content key to as many bytes as the modulus has. */
  wrap(contentKey: Bytes): MaybePromise<Bytes>
}

/** A recipient's private key. */
export interface UnwrapHandle extends KeyHandle {
  /** Decrypts an encrypted content key. Any failure rejects or throws; the caller hides which. */
  unwrap(encryptedKey: Bytes): MaybePromise<Bytes>
}

/** A signing key: Ed25519 (RFC 8032), or ECDSA P-256 with SHA-256 and a signature of r ‖ s. */
export interface SignHandle extends KeyHandle {
  /** Signs to 64 bytes. */
  sign(data: Bytes): MaybePromise<Bytes>
}

/** A verifying key. */
export interface VerifyHandle extends KeyHandle {
  /** Tells whether 64 bytes are a signature of `data`. */
  verify(signature: Bytes, data: Bytes): MaybePromise<boolean>
}

/** What AES-GCM makes and takes, as two arrays, so that a large ciphertext need not be copied to join or part them. */
export interface AesGcmSealed {
  /** As long as the plaintext. */
  readonly ciphertext: Bytes
  /** 16 bytes. */
  readonly tag: Bytes
}

/** An AES-256-GCM key that many calls use, such as those for the chunks of a file: what a platform makes of a key is made once. */
export interface AesKeyHandle {
  /** As {@link Backend.sealAesGcm}. */
  seal(iv: Bytes, aad: Bytes, plaintext: Bytes): MaybePromise<AesGcmSealed>
  /** As {@link Backend.openAesGcm}, of `ciphertext ‖ tag` as one array: chunks come so, and WebCrypto takes them so. */
  open(iv: Bytes, aad: Bytes, sealed: Bytes): MaybePromise<Bytes>
}

/** A new key pair; the private part can be exported only when it was asked to be. */
export interface GeneratedPair<PrivateHandle extends KeyHandle> {
  readonly publicJwk: PublicJwk
  readonly handle: PrivateHandle
}

/**
 * A platform's cryptography.
 *
 * Callers pass arrays that they do not change while a call is pending, and never hand one backend's handles to another.
 * Implementations check the sizes named here and throw a `RangeError` for any other.
 */
export interface Backend {
  /** For error messages and reports: `"node"`, `"web"`, `"noble"`. */
  readonly name: string

  /** `length` bytes (1 to 65,536) from the platform's cryptographic generator. */
  randomBytes(length: number): Bytes

  /** SHA-256 (FIPS 180-4): 32 bytes. */
  sha256(data: Bytes): MaybePromise<Bytes>

  /** HMAC-SHA-256 (RFC 2104) under a key of 32 bytes: 32 bytes. */
  hmacSha256(key: Bytes, data: Bytes): MaybePromise<Bytes>

  /** AES-256-GCM (NIST SP 800-38D) under a key of 32 and an IV of 12 bytes. */
  sealAesGcm(key: Bytes, iv: Bytes, aad: Bytes, plaintext: Bytes): MaybePromise<AesGcmSealed>

  /**
   * Opens what {@link Backend.sealAesGcm} made. Releases nothing before the tag of exactly 16 bytes is verified.
   *
   * @throws Anything, when the tag does not verify.
   */
  openAesGcm(key: Bytes, iv: Bytes, aad: Bytes, sealed: AesGcmSealed): MaybePromise<Bytes>

  /** Imports an AES key of 32 bytes, for many calls. */
  importAesKey(key: Bytes): MaybePromise<AesKeyHandle>

  /** Imports a recipient's checked public key. */
  importWrapKey(jwk: PublicJwk): MaybePromise<WrapHandle>

  /** Imports a recipient's private key: a checked JWK, or the platform's own object, which stays as extractable as it is. */
  importUnwrapKey(source: PrivateJwk | CryptoKeyLike, extractable: boolean): MaybePromise<UnwrapHandle>

  /** Imports a signing key; like {@link Backend.importUnwrapKey}. */
  importSignKey(
    source: PrivateJwk | CryptoKeyLike,
    algorithm: SignatureAlgorithm,
    extractable: boolean,
  ): MaybePromise<SignHandle>

  /** Imports a checked verifying key. */
  importVerifyKey(jwk: PublicJwk, algorithm: SignatureAlgorithm): MaybePromise<VerifyHandle>

  /** Generates an RSA key pair with public exponent 65537, off the calling thread where the platform can. */
  generateRsa(modulusBits: ModulusBits, extractable: boolean): Promise<GeneratedPair<UnwrapHandle>>

  /** Generates a signing key pair. */
  generateSignature(algorithm: SignatureAlgorithm, extractable: boolean): Promise<GeneratedPair<SignHandle>>

  /** Reads SPKI (RFC 5280 §4.1) or PKCS #8 (RFC 5208) DER of an RSA, Ed25519 or P-256 key. Checks nothing else. */
  decodeDer(format: "spki" | "pkcs8", der: Bytes): MaybePromise<Jwk>

  /** Writes SPKI or PKCS #8 DER. */
  encodeDer(format: "spki" | "pkcs8", jwk: PublicJwk): MaybePromise<Bytes>

  /** Reads the platform's own key object as a JWK; rejects when it is not extractable. */
  decodeCryptoKey(key: CryptoKeyLike): Promise<Jwk>
}
