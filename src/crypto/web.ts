/**
 * The backend for browsers, Deno and edge workers: WebCrypto and nothing else. What is short would be hashed faster in script,
 * and cost every page 3 kB more.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import type { AesGcmSealed, Backend, Jwk, PublicJwk, SignatureAlgorithm } from "./backend.ts"
import { assertBytes, assertRandomLength, IV_BYTES, KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES } from "./sizes.ts"
import {
  bareJwk,
  decodeCryptoKey,
  exportBareJwk,
  isCryptoKey,
  OAEP,
  SIGNATURES,
  signHandle,
  subtle,
  unwrapHandle,
} from "./subtle.ts"

const HMAC = { name: "HMAC", hash: "SHA-256" } as const
const RSA_GENERATION = { ...OAEP, publicExponent: new Uint8Array([1, 0, 1]) }

/** Each kind of key, and what its public and its private half are for. */
const KINDS = [
  { kty: "RSA", algorithm: OAEP, spki: "encrypt", pkcs8: "decrypt" },
  { kty: "OKP", algorithm: SIGNATURES.Ed25519.key, spki: "verify", pkcs8: "sign" },
  { kty: "EC", algorithm: SIGNATURES.ES256.key, spki: "verify", pkcs8: "sign" },
] as const

/** A DER key says itself what it is, but WebCrypto wants to be told: tries each kind. */
async function decodeDer(format: "spki" | "pkcs8", der: Bytes): Promise<Jwk> {
  for (const { kty, algorithm, [format]: usage } of KINDS) {
    // Firefox imports a P-256 key as one for RSA-OAEP, and only its JWK tells
    const jwk = await subtle()
      .importKey(format, der, algorithm, true, [usage])
      .then(decodeCryptoKey)
      .catch(() => undefined)
    if (jwk?.kty === kty) return jwk
  }
  throw new Error(`not ${format} of an RSA, Ed25519 or P-256 key`)
}

async function encodeDer(format: "spki" | "pkcs8", jwk: PublicJwk): Promise<Bytes> {
  const { algorithm, [format]: usage } = KINDS.find(({ kty }) => kty === jwk.kty) ?? KINDS[0]
  const key = await subtle().importKey("jwk", bareJwk(jwk), algorithm, true, [usage])
  return new Uint8Array(await subtle().exportKey(format, key))
}

async function sealWith(key: CryptoKey, iv: Bytes, aad: Bytes, plaintext: Bytes): Promise<AesGcmSealed> {
  assertBytes(iv, "iv", IV_BYTES)
  const sealed = await subtle().encrypt({ name: "AES-GCM", iv, additionalData: aad }, key, plaintext)
  return {
    ciphertext: new Uint8Array(sealed, 0, plaintext.length),
    tag: new Uint8Array(sealed, plaintext.length),
  }
}

async function openWith(key: CryptoKey, iv: Bytes, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  assertBytes(iv, "iv", IV_BYTES)
  return new Uint8Array(await subtle().decrypt({ name: "AES-GCM", iv, additionalData: aad }, key, sealed))
}

/** WebCrypto. */
export const backend: Backend = {
  name: "web",

  randomBytes(length) {
    assertRandomLength(length)
    return crypto.getRandomValues(new Uint8Array(length))
  },

  sha256: async (data) => new Uint8Array(await subtle().digest("SHA-256", data)),

  async hmacSha256(key, data) {
    assertBytes(key, "key", KEY_BYTES)
    const hmac = await subtle().importKey("raw", key, HMAC, false, ["sign"])
    return new Uint8Array(await subtle().sign("HMAC", hmac, data))
  },

  async sealAesGcm(key, iv, aad, plaintext) {
    assertBytes(key, "key", KEY_BYTES)
    return sealWith(await subtle().importKey("raw", key, "AES-GCM", false, ["encrypt"]), iv, aad, plaintext)
  },

  async openAesGcm(key, iv, aad, { ciphertext, tag }) {
    assertBytes(key, "key", KEY_BYTES)
    assertBytes(tag, "tag", TAG_BYTES)
    const imported = await subtle().importKey("raw", key, "AES-GCM", false, ["decrypt"])
    return openWith(imported, iv, aad, concat(ciphertext, tag))
  },

  async importAesKey(key) {
    assertBytes(key, "key", KEY_BYTES)
    const imported = await subtle().importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"])
    return {
      seal: (iv, aad, plaintext) => sealWith(imported, iv, aad, plaintext),
      open: (iv, aad, sealed) => openWith(imported, iv, aad, sealed),
    }
  },

  async importWrapKey(jwk) {
    const key = await subtle().importKey("jwk", bareJwk(jwk), OAEP, true, ["encrypt"])
    return {
      wrap: async (contentKey) => {
        assertBytes(contentKey, "contentKey", KEY_BYTES)
        return new Uint8Array(await subtle().encrypt(OAEP, key, contentKey))
      },
      toCryptoKey: () => Promise.resolve(key),
    }
  },

  async importUnwrapKey(source, extractable) {
    if (isCryptoKey(source)) return unwrapHandle(source as CryptoKey)
    return unwrapHandle(await subtle().importKey("jwk", bareJwk(source), OAEP, extractable, ["decrypt"]))
  },

  async importSignKey(source, algorithm, extractable) {
    if (isCryptoKey(source)) return signHandle(source as CryptoKey, algorithm)
    const { key } = SIGNATURES[algorithm]
    return signHandle(await subtle().importKey("jwk", bareJwk(source), key, extractable, ["sign"]), algorithm)
  },

  async importVerifyKey(jwk, algorithm) {
    const { key: kind, use } = SIGNATURES[algorithm]
    const key = await subtle().importKey("jwk", bareJwk(jwk), kind, true, ["verify"])
    return {
      verify: (signature, data) => {
        assertBytes(signature, "signature", SIGNATURE_BYTES)
        return subtle().verify(use, key, signature, data)
      },
      toCryptoKey: () => Promise.resolve(key),
    }
  },

  async generateRsa(modulusBits, extractable) {
    const algorithm = { ...RSA_GENERATION, modulusLength: modulusBits }
    const pair = await subtle().generateKey(algorithm, extractable, ["encrypt", "decrypt"])
    return { publicJwk: await exportBareJwk(pair.publicKey), handle: unwrapHandle(pair.privateKey) }
  },

  async generateSignature(algorithm: SignatureAlgorithm, extractable: boolean) {
    const kind = SIGNATURES[algorithm].key
    const pair = (await subtle().generateKey(kind, extractable, ["sign", "verify"])) as CryptoKeyPair
    return { publicJwk: await exportBareJwk(pair.publicKey), handle: signHandle(pair.privateKey, algorithm) }
  },

  decodeDer,
  encodeDer,
  decodeCryptoKey,
}
