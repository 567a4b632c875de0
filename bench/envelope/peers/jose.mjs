/** jose: compact JWE, with `CryptoKey`s imported once, which is how it is fastest. */

import { compactDecrypt, CompactEncrypt, importJWK } from "jose"

const peer = (name, protectedHeader, encryptKey, decryptKey) => ({
  name,
  seal: (message) => new CompactEncrypt(message).setProtectedHeader(protectedHeader).encrypt(encryptKey),
  open: async (envelope) => (await compactDecrypt(envelope, decryptKey)).plaintext,
})

export async function jose({ publicJwk, privateJwk }) {
  const alg = "RSA-OAEP-256"
  const [encryptKey, decryptKey] = await Promise.all(
    [publicJwk, privateJwk].map((jwk) => importJWK(jwk, alg)),
  )
  return peer("jose", { alg, enc: "A256GCM" }, encryptKey, decryptKey)
}

/** `dir`: one shared AES key for all messages; nothing is derived, and nothing binds a reply to its request. */
export async function joseReplies() {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
  return peer("jose `dir`, cached key", { alg: "dir", enc: "A256GCM" }, key, key)
}
