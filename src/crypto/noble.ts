/**
 * The backend in plain TypeScript, for `http:` pages, where browsers withhold `crypto.subtle`.
 *
 * Whoever can change such a page can change this code too: it resists passive listeners only (docs/protocol.md §2).
 * It has no private RSA operation, reads no DER and knows no `CryptoKey`. Nothing picks it unasked: pass it as `backend`.
 *
 * @module
 */

import { gcm } from "@noble/ciphers/aes.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { p256 } from "@noble/curves/nist.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { mgf1, OAEP } from "micro-rsa-dsa-dh/rsa.js"
import { OS2IP } from "micro-rsa-dsa-dh/utils.js"

// not `#base64url`, which on Node imports `node:buffer`: this file is for pages
import { decodeBase64url, encodeBase64url } from "../base/base64url.ts"
import { type Bytes, concat } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import type {
  AesGcmSealed,
  Backend,
  CryptoKeyLike,
  PrivateJwk,
  PublicJwk,
  SignatureAlgorithm,
  SignHandle,
} from "./backend.ts"
import { partSealed } from "./sealed-parts.ts"
import { assertBytes, assertRandomLength, IV_BYTES, KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES } from "./sizes.ts"

const oaep = OAEP(sha256, mgf1(sha256))

/** SEC 1 §2.3.3: what precedes x ‖ y of an uncompressed point. */
const UNCOMPRESSED = new Uint8Array([4])

/** S may be high: the other backends write and accept both forms. */
const ECDSA = { lowS: false } as const

/** RFC 8032 §5.1.7: canonical points only. */
const EDDSA = { zip215: false } as const

interface Scheme {
  /** The members of a public JWK but `kty` and `crv` are coordinates, in this order. */
  readonly coordinates: readonly string[]
  readonly kind: { readonly kty: string; readonly crv: string }
  generateSecret(): Bytes
  /** The public key of `secret`, as its coordinates in a row. */
  publicOf(secret: Bytes): Bytes
  sign(data: Bytes, secret: Bytes): Bytes
  verify(signature: Bytes, data: Bytes, publicKey: Bytes): boolean
  /** Throws unless a public key is one. */
  assertPublic(publicKey: Bytes): void
}

const SCHEMES: Readonly<Record<SignatureAlgorithm, Scheme>> = {
  Ed25519: {
    kind: { crv: "Ed25519", kty: "OKP" },
    coordinates: ["x"],
    generateSecret: () => ed25519.utils.randomSecretKey(),
    publicOf: (secret) => ed25519.getPublicKey(secret),
    sign: (data, secret) => ed25519.sign(data, secret),
    verify: (signature, data, publicKey) => ed25519.verify(signature, data, publicKey, EDDSA),
    assertPublic: () => undefined, // as elsewhere: what is no point verifies nothing
  },
  ES256: {
    kind: { crv: "P-256", kty: "EC" },
    coordinates: ["x", "y"],
    generateSecret: () => p256.utils.randomSecretKey(),
    publicOf: (secret) => p256.getPublicKey(secret, false).slice(UNCOMPRESSED.length),
    sign: (data, secret) => p256.sign(data, secret, ECDSA),
    verify: (signature, data, publicKey) =>
      p256.verify(signature, data, concat(UNCOMPRESSED, publicKey), ECDSA),
    assertPublic: (publicKey) => p256.Point.fromBytes(concat(UNCOMPRESSED, publicKey)).assertValidity(),
  },
}

function member(jwk: PublicJwk, name: string): Bytes {
  const bytes = decodeBase64url(jwk[name] ?? "")
  if (bytes === undefined) throw new SealwireError("ERR_KEY", `${name} of the JWK is not canonical base64url`)
  return bytes
}

function publicBytes(jwk: PublicJwk, { kind, coordinates }: Scheme): Bytes {
  if (jwk.kty !== kind.kty || jwk["crv"] !== kind.crv) {
    throw new SealwireError("ERR_KEY", `the JWK must have kty ${kind.kty} and crv ${kind.crv}`)
  }
  const parts = coordinates.map((name) => member(jwk, name))
  for (const part of parts) assertBytes(part, "coordinate", KEY_BYTES)
  return concat(...parts)
}

function publicJwk({ kind, coordinates }: Scheme, publicKey: Bytes): PublicJwk {
  const coordinate = (index: number): Bytes => publicKey.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES)
  return {
    ...kind,
    ...Object.fromEntries(coordinates.map((name, index) => [name, encodeBase64url(coordinate(index))])),
  }
}

function signHandle(scheme: Scheme, secret: Bytes, extractable: boolean): SignHandle {
  const sign = (data: Bytes): Bytes => scheme.sign(data, secret)
  if (!extractable) return { sign }
  const jwk = (): PrivateJwk => ({
    ...publicJwk(scheme, scheme.publicOf(secret)),
    d: encodeBase64url(secret),
  })
  return { sign, toJwk: jwk }
}

function unsupported(what: string, instead: string): never {
  throw new SealwireError("ERR_UNSUPPORTED", `the noble backend ${what}: ${instead}`)
}

const NATIVE_ONLY = "use the default backend, in a secure context (https), on Node, or wherever WebCrypto is"
const noPrivateRsa = (): never => unsupported("has no private RSA operation", NATIVE_ONLY)
const noDer = (): never => unsupported("reads and writes no DER or PEM", "give a JWK")
const noCryptoKey = (): never => unsupported("cannot use a CryptoKey", "give a JWK")

function sealAesGcm(key: Bytes, iv: Bytes, aad: Bytes, plaintext: Bytes): AesGcmSealed {
  assertBytes(key, "key", KEY_BYTES)
  assertBytes(iv, "iv", IV_BYTES)
  const sealed = gcm(key, iv, aad).encrypt(plaintext) as Bytes
  return { ciphertext: sealed.subarray(0, plaintext.length), tag: sealed.subarray(plaintext.length) }
}

function openAesGcm(key: Bytes, iv: Bytes, aad: Bytes, { ciphertext, tag }: AesGcmSealed): Bytes {
  assertBytes(key, "key", KEY_BYTES)
  assertBytes(iv, "iv", IV_BYTES)
  assertBytes(tag, "tag", TAG_BYTES)
  return gcm(key, iv, aad).decrypt(concat(ciphertext, tag))
}

const isJwk = (source: PrivateJwk | CryptoKeyLike): source is PrivateJwk => "kty" in source

/** Plain TypeScript over noble and `micro-rsa-dsa-dh`. */
export const noble: Backend = {
  name: "noble",

  randomBytes(length) {
    assertRandomLength(length)
    return crypto.getRandomValues(new Uint8Array(length))
  },

  sha256: (data) => sha256(data),

  hmacSha256(key, data) {
    assertBytes(key, "key", KEY_BYTES)
    return hmac(sha256, key, data)
  },

  sealAesGcm,
  openAesGcm,

  importAesKey(key) {
    assertBytes(key, "key", KEY_BYTES)
    const kept = new Uint8Array(key)
    return {
      seal: (iv, aad, plaintext) => sealAesGcm(kept, iv, aad, plaintext),
      open: (iv, aad, sealed) => openAesGcm(kept, iv, aad, partSealed(sealed)),
    }
  },

  importWrapKey(jwk) {
    const key = { n: OS2IP(member(jwk, "n")), e: OS2IP(member(jwk, "e")) }
    return {
      wrap: (contentKey) => {
        assertBytes(contentKey, "contentKey", KEY_BYTES)
        return new Uint8Array(oaep.encrypt(key, contentKey))
      },
    }
  },

  importUnwrapKey: noPrivateRsa,

  importSignKey(source, algorithm, extractable) {
    if (!isJwk(source)) return noCryptoKey()
    const scheme = SCHEMES[algorithm]
    const secret = member(source, "d")
    assertBytes(secret, "d", KEY_BYTES)
    return signHandle(scheme, secret, extractable)
  },

  importVerifyKey(jwk, algorithm) {
    const scheme = SCHEMES[algorithm]
    const publicKey = publicBytes(jwk, scheme)
    scheme.assertPublic(publicKey)
    return {
      verify: (signature, data) => {
        assertBytes(signature, "signature", SIGNATURE_BYTES)
        return scheme.verify(signature, data, publicKey)
      },
    }
  },

  // the interface promises promises here: async, so that a refusal is a rejection
  generateRsa: async () => noPrivateRsa(),

  async generateSignature(algorithm, extractable) {
    const scheme = SCHEMES[algorithm]
    const secret = scheme.generateSecret()
    return {
      publicJwk: publicJwk(scheme, scheme.publicOf(secret)),
      handle: signHandle(scheme, secret, extractable),
    }
  },

  decodeDer: noDer,
  encodeDer: noDer,
  decodeCryptoKey: async () => noCryptoKey(),
}
