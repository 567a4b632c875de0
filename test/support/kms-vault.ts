/**
 * What the doubles of key services keep their keys in, and do with them.
 *
 * @module
 */

import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  randomBytes,
} from "node:crypto"

/** A key, and in the words of its service what it may be used for. */
export interface VaultKey {
  readonly key: KeyObject
  readonly use: string
}

/** DER of a `DigestInfo` with SHA-256, up to the digest: RFC 8017 §9.2. */
const SHA256_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex")

/** Keys by the names that the service gives them. */
export class Vault {
  readonly keys: Map<string, VaultKey> = new Map<string, VaultKey>()
  isAway = false

  makePair(name: string, modulusLength: number, use: string): void {
    this.keys.set(name, { key: generateKeyPairSync("rsa", { modulusLength }).privateKey, use })
  }

  makeSecret(name: string, use: string): void {
    this.keys.set(name, { key: createSecretKey(randomBytes(32)), use })
  }

  publicOf(name: string): KeyObject {
    const found = this.keys.get(name)
    if (!found) throw new Error(`no key ${name}`)
    return createPublicKey(found.key)
  }
}

/** RSAES-OAEP with SHA-256, or nothing. */
export function decryptOaep({ key }: VaultKey, ciphertext: Uint8Array): Buffer | undefined {
  try {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }, ciphertext)
  } catch {
    return undefined
  }
}

export const hmacSha256 = ({ key }: VaultKey, data: Uint8Array): Buffer =>
  createHmac("sha256", key).update(data).digest()

/** RSASSA-PKCS1-v1_5 with SHA-256, of a digest that others made. */
export const signDigest = ({ key }: VaultKey, digest: Uint8Array): Buffer =>
  privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([SHA256_INFO, digest]))
