/**
 * Private keys under a passphrase: PKCS #8 with PBES2, which OpenSSL reads and writes. The platforms' own exports cannot be
 * told how much work a guess at the passphrase must cost; here it costs what is current advice.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { copyBytes, describe } from "../base/text.ts"
import { subtle } from "../crypto/subtle.ts"
import { exportDer } from "./export.ts"
import { refuseKey } from "./jwk.ts"
import { materialOf, type PrivateKey, type SigningKey } from "./key.ts"
import { PRIVATE_KEY_OPTIONS, type PrivateKeyOptions } from "./options.ts"
import { isPkcs8, MAX_ITERATIONS, parseProtected, type ProtectedKey, serializeProtected } from "./pbes2.ts"
import { decodePem, encodePem } from "./pem.ts"
import { importPrivateKey } from "./recipient.ts"
import { importSigningKey } from "./signer.ts"

/** Options of {@link exportProtectedPem}. */
export interface ProtectOptions {
  /**
   * Text, which counts as its UTF-8 exactly as given (no normalization: the same on every system, but two ways of typing
   * "é" are two passphrases), or bytes. At least one byte. Required.
   */
  readonly passphrase: string | Uint8Array
  /** Iterations of PBKDF2: 600,000 to 10,000,000. Default: 600,000, which takes a fraction of a second. */
  readonly iterations?: number
}

/** Options of {@link importProtectedPrivateKey} and {@link importProtectedSigningKey}. */
export interface ProtectedKeyOptions extends PrivateKeyOptions {
  /** As it was given to {@link exportProtectedPem}, or to OpenSSL. Required. */
  readonly passphrase: string | Uint8Array
}

/** OWASP's advice for PBKDF2-HMAC-SHA-256 since 2023. */
const MIN_ITERATIONS = 600_000
const SALT_BYTES = 16
const IV_BYTES = 16

/** Takes the passphrase into the platform's keeping; no copy of its bytes stays here. */
async function importPassphrase(passphrase: string | Uint8Array): Promise<CryptoKey> {
  const bytes = copyBytes(passphrase, "options.passphrase")
  if (bytes.length === 0) throw new RangeError("options.passphrase must not be empty")
  try {
    return await subtle().importKey("raw", bytes, "PBKDF2", false, ["deriveKey"])
  } finally {
    bytes.fill(0)
  }
}

async function deriveCipherKey(
  secret: CryptoKey,
  scheme: Omit<ProtectedKey, "encrypted">,
): Promise<CryptoKey> {
  const { hash, salt, iterations, cipherBits } = scheme
  const derivation = { name: "PBKDF2", hash, salt, iterations }
  const cipher = { name: "AES-CBC", length: cipherBits }
  try {
    return await subtle().deriveKey(derivation, secret, cipher, false, ["encrypt", "decrypt"])
  } catch (cause) {
    // Chromium has no AES-192
    throw new SealwireError("ERR_UNSUPPORTED", `this platform has no AES-${cipherBits}-CBC`, { cause })
  }
}

/**
 * Exports a private key as PEM under a passphrase: PKCS #8, PBES2, PBKDF2-HMAC-SHA-256, AES-256-CBC. OpenSSL reads it.
 *
 * > [!WARNING]
 * > The form has no integrity check: it keeps a key secret, it does not prove that nobody exchanged it. Compare `kid`.
 *
 * @throws `SealwireError` `ERR_KEY` when the key is not extractable; `RangeError` for an empty passphrase or too few iterations;
 *   `TypeError` for a passphrase with a lone surrogate.
 * @example
 * ```ts
 * import { exportProtectedPem, generateKeyPair, importProtectedPrivateKey } from "sealwire/keys"
 *
 * const { privateKey } = await generateKeyPair({ extractable: true })
 * const pem = await exportProtectedPem(privateKey, { passphrase: "correct horse battery staple" })
 * const again = await importProtectedPrivateKey(pem, { passphrase: "correct horse battery staple" })
 * ```
 */
export async function exportProtectedPem(
  key: PrivateKey | SigningKey,
  options: ProtectOptions,
): Promise<string> {
  assertOptions(options, "options", ["passphrase", "iterations"])
  const { passphrase, iterations = MIN_ITERATIONS } = options
  assertInteger(iterations, "iterations", MIN_ITERATIONS, MAX_ITERATIONS)
  const { backend } = materialOf(key, key.type === "signing" ? "signing" : "private", "key")
  const secret = await importPassphrase(passphrase)
  const der = await exportDer(key)
  const scheme = {
    hash: "SHA-256",
    salt: backend.randomBytes(SALT_BYTES),
    iterations,
    cipherBits: 256,
    statesKeyLength: false,
    iv: backend.randomBytes(IV_BYTES),
  } as const
  try {
    const cipherKey = await deriveCipherKey(secret, scheme)
    const encrypted = await subtle().encrypt({ name: "AES-CBC", iv: scheme.iv }, cipherKey, der)
    const protectedDer = serializeProtected({ ...scheme, encrypted: new Uint8Array(encrypted) })
    return encodePem("ENCRYPTED PRIVATE KEY", protectedDer)
  } finally {
    der.fill(0)
  }
}

/** PKCS #8 DER, for the caller to wipe. */
async function decrypt(pem: string, passphrase: string | Uint8Array): Promise<Bytes> {
  const key = parseProtected(decodePem(pem, "ENCRYPTED PRIVATE KEY"))
  const cipherKey = await deriveCipherKey(await importPassphrase(passphrase), key)
  const der = await subtle()
    .decrypt({ name: "AES-CBC", iv: key.iv }, cipherKey, key.encrypted)
    .then(
      (decrypted) => new Uint8Array(decrypted),
      () => undefined,
    )
  // one wrong passphrase in 256 gives well-formed padding
  return der && isPkcs8(der) ? der : refuseKey("wrong passphrase, or a damaged file")
}

async function importProtected<K>(
  pem: string,
  options: ProtectedKeyOptions,
  importKey: (der: Uint8Array, options: PrivateKeyOptions) => Promise<K>,
): Promise<K> {
  assertOptions(options, "options", [...PRIVATE_KEY_OPTIONS, "passphrase"])
  if (typeof pem !== "string") throw new TypeError(`pem must be a string, not ${describe(pem)}`)
  const { passphrase, ...keyOptions } = options
  const der = await decrypt(pem, passphrase)
  try {
    return await importKey(der, keyOptions)
  } finally {
    der.fill(0)
  }
}

/**
 * Imports a recipient's private key from PEM under a passphrase, as {@link exportProtectedPem} or OpenSSL 3 wrote it: PBES2 with
 * PBKDF2 of 1 to 10,000,000 iterations, HMAC-SHA-256, 384 or 512, and AES-CBC.
 *
 * @throws `SealwireError` `ERR_KEY` for a wrong passphrase (which a damaged file looks like), for another scheme, and for
 *   every key that the protocol refuses (§2); `ERR_UNSUPPORTED` where the platform or backend cannot read it.
 */
export async function importProtectedPrivateKey(
  pem: string,
  options: ProtectedKeyOptions,
): Promise<PrivateKey> {
  return importProtected(pem, options, importPrivateKey)
}

/**
 * Imports a signing key from PEM under a passphrase; like {@link importProtectedPrivateKey}.
 *
 * @throws As {@link importProtectedPrivateKey}.
 */
export async function importProtectedSigningKey(
  pem: string,
  options: ProtectedKeyOptions,
): Promise<SigningKey> {
  return importProtected(pem, options, importSigningKey)
}
