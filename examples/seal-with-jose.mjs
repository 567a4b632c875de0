/**
 * Seals for a reader of sealwire with the `jose` library alone: docs/protocol.md §3 in less than 25 lines.
 *
 *     node examples/seal-with-jose.mjs recipient.jwk "hello" "context" > envelope
 */

import { createHash, createHmac, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { calculateJwkThumbprint, CompactEncrypt, importJWK } from "jose"

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest()
const lp = (bytes) => Buffer.concat([Buffer.from(bytes.length.toString(16).padStart(16, "0"), "hex"), bytes])
const label = (name) => lp(Buffer.from(`sealwire/1 ${name}`))

/** Seals text to an RSA public key in JWK; unsigned. */
export async function sealWithJose(text, publicJwk, context = "") {
  const [seed, message, noSignature] = [randomBytes(32), Buffer.from(text), Buffer.alloc(0)]
  const ctx = sha256(label("context"), lp(Buffer.from(context))).toString("base64url")
  const iat = Math.floor(Date.now() / 1000)
  const nonce = createHmac("sha256", seed).update(label("nonce")).update("\x01").digest().subarray(0, 16)
  const kid = await calculateJwkThumbprint(publicJwk)
  const jti = nonce.toString("base64url")
  const header = { alg: "RSA-OAEP-256", ctx, enc: "A256GCM", iat, jti, kid, typ: "sw1" }
  const segment = Buffer.from(Buffer.from(JSON.stringify(header)).toString("base64url"))
  const digest = sha256(label("digest"), lp(segment), lp(seed), lp(noSignature), sha256(message))
  const plaintext = Buffer.concat([digest, seed, Buffer.alloc(2), message])
  const key = await importJWK(publicJwk, header.alg)
  return new CompactEncrypt(plaintext).setProtectedHeader(header).encrypt(key)
}

const [, script, file, text, context] = process.argv
if (script === import.meta.filename)
  console.log(await sealWithJose(text, JSON.parse(readFileSync(file, "utf8")), context))
