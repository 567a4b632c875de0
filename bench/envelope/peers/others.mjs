/** Other ways to encrypt to a public key. They differ in what they promise; each is used as its documentation says. */

import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from "@hpke/core"
import sodium from "libsodium-wrappers"
import forge from "node-forge"
import * as openpgp from "openpgp"

const text = (bytes) => Buffer.from(bytes).toString("base64url")
const bytes = (base64url) => Buffer.from(base64url, "base64url")

/** RSA-OAEP and AES-GCM in plain JavaScript. */
export function nodeForge({ publicKey, privateKey }) {
  const oaep = ["RSA-OAEP", { md: forge.md.sha256.create(), mgf1: { md: forge.md.sha256.create() } }]
  const publicForge = forge.pki.publicKeyFromPem(publicKey.export({ type: "spki", format: "pem" }))
  const privateForge = forge.pki.privateKeyFromPem(privateKey.export({ type: "pkcs1", format: "pem" }))
  const binary = (data) => Buffer.from(data).toString("latin1")
  return {
    name: "node-forge",
    seal(message) {
      const key = forge.random.getBytesSync(32)
      const iv = forge.random.getBytesSync(12)
      const cipher = forge.cipher.createCipher("AES-GCM", key)
      cipher.start({ iv })
      cipher.update(forge.util.createBuffer(binary(message)))
      cipher.finish()
      const parts = [
        publicForge.encrypt(key, ...oaep),
        iv,
        cipher.output.getBytes(),
        cipher.mode.tag.getBytes(),
      ]
      return parts.map((part) => text(Buffer.from(part, "latin1"))).join(".")
    },
    open(envelope) {
      const [wrapped, iv, ciphertext, tag] = envelope.split(".").map((part) => bytes(part).toString("latin1"))
      const decipher = forge.cipher.createDecipher("AES-GCM", privateForge.decrypt(wrapped, ...oaep))
      decipher.start({ iv, tag: forge.util.createBuffer(tag) })
      decipher.update(forge.util.createBuffer(ciphertext))
      if (!decipher.finish()) throw new Error("tag")
      return Buffer.from(decipher.output.getBytes(), "latin1")
    },
  }
}

/** An OpenPGP message to an RSA-2048 key, armored. */
export async function openPgp() {
  const made = await openpgp.generateKey({
    type: "rsa",
    rsaBits: 2048,
    userIDs: [{ name: "bench" }],
    format: "object",
  })
  return {
    name: "openpgp",
    seal: async (message) =>
      openpgp.encrypt({
        message: await openpgp.createMessage({ binary: message, format: "binary" }),
        encryptionKeys: made.publicKey,
      }),
    open: async (armored) => {
      const message = await openpgp.readMessage({ armoredMessage: armored })
      return (await openpgp.decrypt({ message, decryptionKeys: made.privateKey, format: "binary" })).data
    },
  }
}

/** HPKE over P-256: no RSA at all. */
export async function hpke() {
  const suite = new CipherSuite({
    kem: new DhkemP256HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes256Gcm(),
  })
  const pair = await suite.kem.generateKeyPair()
  return {
    name: "@hpke/core, P-256 (no RSA)",
    async seal(message) {
      const sender = await suite.createSenderContext({ recipientPublicKey: pair.publicKey })
      return `${text(sender.enc)}.${text(await sender.seal(message))}`
    },
    async open(envelope) {
      const [enc, ciphertext] = envelope.split(".").map(bytes)
      const recipient = await suite.createRecipientContext({ recipientKey: pair.privateKey, enc })
      return new Uint8Array(await recipient.open(ciphertext))
    },
  }
}

/** libsodium's sealed boxes in WebAssembly, X25519: no RSA at all. */
export async function libsodium() {
  await sodium.ready
  const { publicKey, privateKey } = sodium.crypto_box_keypair()
  return {
    name: "libsodium-wrappers, sealed box (no RSA)",
    seal: (message) => text(sodium.crypto_box_seal(message, publicKey)),
    open: (envelope) => sodium.crypto_box_seal_open(bytes(envelope), publicKey, privateKey),
  }
}
