/**
 * The backend for Node and Bun: `node:crypto`.
 *
 * Everything symmetric runs synchronously, which up to about 1 MiB is several times the speed of handing it to a
 * thread. The private RSA operation takes milliseconds, so it goes off the main thread, over several imports of a key.
 *
 * @module
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from "node:crypto"
import { promisify } from "node:util"

import type { Bytes } from "../base/bytes.ts"
import type {
  AesGcmSealed,
  AesKeyHandle,
  Backend,
  CryptoKeyLike,
  Jwk,
  KeyHandle,
  PrivateJwk,
  PublicJwk,
  SignatureAlgorithm,
  SignHandle,
  UnwrapHandle,
} from "./backend.ts"
import { createLanes } from "./lanes.ts"
import { sha256, SHORT_BYTES, shortHmac } from "./node-hash.ts"
import { oaepEncryption } from "./node-oaep.ts"
import { randomBytes } from "./node-random.ts"
import { partSealed } from "./sealed-parts.ts"
import { assertBytes, assertRandomLength, IV_BYTES, KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES } from "./sizes.ts"
import { decodeCryptoKey, isCryptoKey, OAEP, SIGNATURES, signHandle, subtle, unwrapHandle } from "./subtle.ts"

const generate = promisify(generateKeyPair)

/**
 * Imports of one private key: twice as many as Node's thread pool has threads, so that these have work while the event loop is not yet
 * there to begin more.
 */
const MOST_LANES = 8

/**
 * Node 24 throws and catches an error, about 16 µs, for every key argument that is not itself a KeyObject.
 * Node 20, 22, 26 and Bun do not, and charge 1 to 3 µs to make one.
 */
const WRAPS_KEYS: boolean = process.versions["bun"] === undefined && /^2[345]\./.test(process.versions.node)

const secretKey = (key: Bytes): Bytes | KeyObject => (WRAPS_KEYS ? createSecretKey(key) : key)

const CIPHER = "aes-256-gcm"
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES }

function sealWith(key: Bytes | KeyObject, iv: Bytes, aad: Bytes, plaintext: Bytes): AesGcmSealed {
  assertBytes(iv, "iv", IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv, CIPHER_OPTIONS)
  cipher.setAAD(aad)
  const ciphertext = cipher.update(plaintext)
  cipher.final()
  return { ciphertext, tag: cipher.getAuthTag() }
}

function openWith(key: Bytes | KeyObject, iv: Bytes, aad: Bytes, { ciphertext, tag }: AesGcmSealed): Bytes {
  assertBytes(iv, "iv", IV_BYTES)
  assertBytes(tag, "tag", TAG_BYTES)
  const decipher = createDecipheriv(CIPHER, key, iv, CIPHER_OPTIONS)
  decipher.setAAD(aad)
  decipher.setAuthTag(tag)
  const plaintext = decipher.update(ciphertext)
  decipher.final()
  return plaintext
}

async function toCryptoKey(
  key: KeyObject,
  algorithm: object,
  usage: KeyUsage,
  extractable: boolean,
): Promise<CryptoKey> {
  const format = key.type === "public" ? "spki" : "pkcs8"
  const der = key.export({ type: format, format: "der" } as { type: "spki"; format: "der" })
  const imported = await subtle().importKey(format, der, algorithm as AlgorithmIdentifier, extractable, [
    usage,
  ])
  der.fill(0)
  return imported
}

function exports(key: KeyObject, algorithm: object, usage: KeyUsage, extractable: boolean): KeyHandle {
  const asCryptoKey = (): Promise<CryptoKeyLike> => toCryptoKey(key, algorithm, usage, extractable)
  return extractable
    ? { toCryptoKey: asCryptoKey, toJwk: () => key.export({ format: "jwk" }) as PrivateJwk }
    : { toCryptoKey: asCryptoKey }
}

function rsaHandle(key: KeyObject, extractable: boolean): UnwrapHandle {
  const lanes = createLanes(() => toCryptoKey(key, OAEP, "decrypt", false), MOST_LANES)
  return {
    ...exports(key, OAEP, "decrypt", extractable),
    unwrap: async (encryptedKey) =>
      new Uint8Array(await lanes((lane) => subtle().decrypt(OAEP, lane, encryptedKey))),
  }
}

/** The arguments of `sign` and `verify`; Ed25519 needs no options, which spares Node 24 what {@link WRAPS_KEYS} says. */
function signatureArguments(
  key: KeyObject,
  algorithm: SignatureAlgorithm,
): readonly ["sha256" | null, KeyObject | { key: KeyObject; dsaEncoding: "ieee-p1363" }] {
  return algorithm === "ES256" ? ["sha256", { key, dsaEncoding: "ieee-p1363" }] : [null, key]
}

function signatureHandle(key: KeyObject, algorithm: SignatureAlgorithm, extractable: boolean): SignHandle {
  const [digest, signing] = signatureArguments(key, algorithm)
  return {
    ...exports(key, SIGNATURES[algorithm].key, "sign", extractable),
    sign: (data) => sign(digest, data, signing),
  }
}

const privateKeyObject = (jwk: PrivateJwk): KeyObject => createPrivateKey({ key: { ...jwk }, format: "jwk" })
const publicKeyObject = (jwk: PublicJwk): KeyObject => createPublicKey({ key: { ...jwk }, format: "jwk" })

/** `node:crypto`. */
export const backend: Backend = {
  name: "node",

  randomBytes(length) {
    assertRandomLength(length)
    return randomBytes(length)
  },

  sha256,

  hmacSha256(key, data) {
    assertBytes(key, "key", KEY_BYTES)
    if (data.length <= SHORT_BYTES) return shortHmac(key, data)
    return createHmac("sha256", secretKey(key)).update(data).digest()
  },

  sealAesGcm(key, iv, aad, plaintext) {
    assertBytes(key, "key", KEY_BYTES)
    return sealWith(secretKey(key), iv, aad, plaintext)
  },

  openAesGcm(key, iv, aad, sealed) {
    assertBytes(key, "key", KEY_BYTES)
    return openWith(secretKey(key), iv, aad, sealed)
  },

  importAesKey(key): AesKeyHandle {
    assertBytes(key, "key", KEY_BYTES)
    const imported = createSecretKey(key)
    return {
      seal: (iv, aad, plaintext) => sealWith(imported, iv, aad, plaintext),
      open: (iv, aad, sealed) => openWith(imported, iv, aad, partSealed(sealed)),
    }
  },

  importWrapKey(jwk) {
    const key = publicKeyObject(jwk)
    const encrypt = oaepEncryption(key, WRAPS_KEYS)
    return {
      wrap: (contentKey) => {
        assertBytes(contentKey, "contentKey", KEY_BYTES)
        return encrypt(contentKey)
      },
      toCryptoKey: () => toCryptoKey(key, OAEP, "encrypt", true),
    }
  },

  importUnwrapKey: (source, extractable) =>
    isCryptoKey(source)
      ? unwrapHandle(source as CryptoKey)
      : rsaHandle(privateKeyObject(source), extractable),

  importSignKey: (source, algorithm, extractable) =>
    isCryptoKey(source)
      ? signHandle(source as CryptoKey, algorithm)
      : signatureHandle(privateKeyObject(source), algorithm, extractable),

  importVerifyKey(jwk, algorithm) {
    const key = publicKeyObject(jwk)
    const [digest, verifying] = signatureArguments(key, algorithm)
    return {
      verify: (signature, data) => {
        assertBytes(signature, "signature", SIGNATURE_BYTES)
        return verify(digest, data, verifying, signature)
      },
      toCryptoKey: () => toCryptoKey(key, SIGNATURES[algorithm].key, "verify", true),
    }
  },

  async generateRsa(modulusBits, extractable) {
    const pair = await generate("rsa", { modulusLength: modulusBits, publicExponent: 65537 })
    return {
      publicJwk: pair.publicKey.export({ format: "jwk" }) as PublicJwk,
      handle: rsaHandle(pair.privateKey, extractable),
    }
  },

  async generateSignature(algorithm, extractable) {
    const pair =
      algorithm === "ES256" ? await generate("ec", { namedCurve: "P-256" }) : await generate("ed25519", {})
    return {
      publicJwk: pair.publicKey.export({ format: "jwk" }) as PublicJwk,
      handle: signatureHandle(pair.privateKey, algorithm, extractable),
    }
  },

  decodeDer(format, der) {
    const input = { key: Buffer.from(der), format: "der" } as const
    const key =
      format === "spki"
        ? createPublicKey({ ...input, type: "spki" })
        : createPrivateKey({ ...input, type: "pkcs8" })
    return key.export({ format: "jwk" }) as Jwk
  },

  encodeDer: (format, jwk) =>
    format === "spki"
      ? publicKeyObject(jwk).export({ type: "spki", format: "der" })
      : privateKeyObject(jwk as PrivateJwk).export({ type: "pkcs8", format: "der" }),

  decodeCryptoKey,
}
