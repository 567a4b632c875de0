/**
 * `sealwire/keys`: recipient keys and signing keys, in every form in which they come and go.
 *
 * @module
 */

export type { Bytes } from "./base/bytes.ts"
export type {
  Backend,
  CryptoKeyLike,
  Jwk,
  MaybePromise,
  ModulusBits,
  SignatureAlgorithm,
} from "./crypto/backend.ts"
export { exportCryptoKey, exportPem } from "./keys/export.ts"
export { exportJwk } from "./keys/export-jwk.ts"
export type { Key, PrivateKey, PublicKey, SigningKey, VerifyingKey } from "./keys/key.ts"
export type { PrivateKeyOptions, PublicKeyOptions } from "./keys/options.ts"
export {
  exportProtectedPem,
  importProtectedPrivateKey,
  importProtectedSigningKey,
  type ProtectedKeyOptions,
  type ProtectOptions,
} from "./keys/protect.ts"
export {
  generateKeyPair,
  type GenerateKeyPairOptions,
  importPrivateKey,
  importPublicKey,
  type KeyPair,
  type UnwrapHook,
} from "./keys/recipient.ts"
export {
  createKeyRing,
  type KeyRing,
  type KeyRingEntry,
  type KeyState,
  type ReadableKeyRing,
} from "./keys/ring.ts"
export {
  generateSigningKeyPair,
  type GenerateSigningKeyPairOptions,
  importSigningKey,
  importVerifyingKey,
  type SigningKeyPair,
} from "./keys/signer.ts"
export type { CryptoKeyPairLike, PrivateKeySource, PublicKeySource } from "./keys/source.ts"
export { thumbprint } from "./keys/thumbprint.ts"
