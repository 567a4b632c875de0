/**
 * The cryptography of a message in a session and nothing else: as many hashes and ciphers as docs/protocol.md §3 to §6 ask for,
 * over as many bytes, synchronous, and the text of the envelope. No parsing, no checks, no session: what no implementation
 * over `node:crypto` can go below.
 */

import { createCipheriv, createDecipheriv, createSecretKey, hash, randomFillSync } from "node:crypto"

export const PRIMITIVES = "its primitives alone"

const HEADER_BYTES = 278
const SHORT = Buffer.alloc(64 + 40)
const OUTER = Buffer.alloc(64 + 32)
const COVERED = Buffer.alloc(430)
const IV = Buffer.alloc(12)
const KEY = Buffer.alloc(32)
const HEADER = Buffer.alloc(HEADER_BYTES, "e")

const sha256 = (bytes) => hash("sha256", bytes, "binary")
const hmac = () => sha256(SHORT) && sha256(OUTER)

/** Node 24 charges 16 µs for a key that is no KeyObject. */
const key = /^v2[345]\./.test(process.version) ? () => createSecretKey(KEY) : () => KEY

/** A message of so many bytes: `seal` takes none, since which bytes they are makes no difference. */
export function sessionPrimitives(messageBytes) {
  const plaintext = Buffer.alloc(32 + 32 + 2 + messageBytes)
  const message = plaintext.subarray(66)
  const random = Buffer.alloc(76)

  function seal() {
    randomFillSync(random)
    hmac() // the nonce
    sha256(message) // MH
    sha256(COVERED) // D
    hmac() // the key
    const cipher = createCipheriv("aes-256-gcm", key(), IV)
    cipher.setAAD(HEADER)
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    return [HEADER, IV, ciphertext, cipher.getAuthTag()].map((part) => part.toString("base64url")).join(".")
  }

  /** Steps 3 to 7, of a message or of a reply. */
  function read(envelope) {
    const parts = envelope.split(".").map((part) => Buffer.from(part, "base64url"))
    const [, , ciphertext, tag] = parts
    for (const part of parts) part.toString("base64url") // only the round trip proves that it is canonical
    hmac() // the key
    const decipher = createDecipheriv("aes-256-gcm", key(), IV)
    decipher.setAAD(HEADER)
    decipher.setAuthTag(tag)
    const opened = decipher.update(ciphertext)
    decipher.final()
    hmac() // the nonce
    sha256(opened.subarray(66)) // MH
    sha256(COVERED) // D
    return opened
  }

  function open(envelope) {
    read(envelope)
    sha256(SHORT) // the claim
  }

  /** What either end of a request derives for its reply. */
  function deriveReplyTerms(envelope) {
    const bytes = Buffer.from(envelope, "latin1")
    sha256(bytes) // the key of X
    hmac() // X
    sha256(bytes) // the context
  }

  function askAndAnswer() {
    const request = seal()
    deriveReplyTerms(request)
    open(request)
    deriveReplyTerms(request)
    read(seal())
  }

  return { seal, open, askAndAnswer }
}
