/**
 * What a careful user writes by hand with `node:crypto`: synchronous, keys parsed once, compact base64url. No nonce, no time,
 * no context, no binding of a reply: only the primitives that no envelope of this kind can do without.
 */

import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto"

export const BY_HAND = "node:crypto by hand"
const BY_HAND_DIGEST = "node:crypto by hand, and SHA-256"

const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }
const HEADER = Buffer.from('{"alg":"RSA-OAEP-256","enc":"A256GCM"}').toString("base64url")

function encrypt(key, message) {
  const iv = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", key, iv)
  cipher.setAAD(Buffer.from(HEADER))
  const ciphertext = Buffer.concat([cipher.update(message), cipher.final()])
  return [iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString("base64url")).join(".")
}

function decrypt(key, header, [iv, ciphertext, tag]) {
  const decipher = createDecipheriv("aes-256-gcm", key, iv)
  decipher.setAAD(Buffer.from(header))
  decipher.setAuthTag(tag)
  return Buffer.concat([decipher.update(ciphertext), decipher.final()])
}

/** Seals and opens; with `digest`, a SHA-256 of the message goes along inside, as our protocol's does. */
export const naive =
  (digest) =>
  ({ publicKey, privateKey }) => {
    const encryptOptions = { key: publicKey, ...OAEP }
    const decryptOptions = { key: privateKey, ...OAEP }
    return {
      name: digest ? BY_HAND_DIGEST : BY_HAND,
      seal(message) {
        const contentKey = randomBytes(32)
        const wrapped = publicEncrypt(encryptOptions, contentKey)
        const plaintext = digest
          ? Buffer.concat([createHash("sha256").update(message).digest(), message])
          : message
        return `${HEADER}.${wrapped.toString("base64url")}.${encrypt(contentKey, plaintext)}`
      },
      open(envelope) {
        const [header, wrapped, ...rest] = envelope.split(".")
        const contentKey = privateDecrypt(decryptOptions, Buffer.from(wrapped, "base64url"))
        const parts = rest.map((part) => Buffer.from(part, "base64url"))
        const plaintext = decrypt(contentKey, header, parts)
        if (!digest) return plaintext
        const message = plaintext.subarray(32)
        if (!createHash("sha256").update(message).digest().equals(plaintext.subarray(0, 32)))
          throw new Error("digest")
        return message
      },
    }
  }

/** A message under a shared secret: a key derived for each one by HKDF, then AES-256-GCM. */
export function naiveReplies() {
  const secret = randomBytes(32)
  const keyOf = (salt) => Buffer.from(hkdfSync("sha256", secret, salt, "reply", 32))
  return {
    name: "node:crypto by hand (hkdfSync)",
    seal(message) {
      const salt = randomBytes(16)
      return `${HEADER}.${salt.toString("base64url")}.${encrypt(keyOf(salt), message)}`
    },
    open(envelope) {
      const [header, salt, ...parts] = envelope
        .split(".")
        .map((part, i) => (i === 0 ? part : Buffer.from(part, "base64url")))
      return decrypt(keyOf(salt), header, parts)
    },
  }
}
