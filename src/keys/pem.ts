/**
 * PEM, the strict form of RFC 7468: one block, one label, nothing around it but white space.
 *
 * @module
 */

import { decodeBase64url, encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { refuseKey } from "./jwk.ts"

/** Labels that this library reads and writes. */
export type PemLabel = "PUBLIC KEY" | "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY"

const BLOCK = /^\s*-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END ([A-Z0-9 ]+)-----\s*$/
const LINE = 64
/** A 4096-bit private key takes about 3,300 characters. */
const MAX_PEM_CHARACTERS = 16_384

/** What to do about the labels that people meet most. */
const HINTS: Readonly<Record<string, string>> = {
  "RSA PRIVATE KEY": "that is PKCS #1; convert it with `openssl pkcs8 -topk8 -nocrypt`",
  "RSA PUBLIC KEY": "that is PKCS #1; convert it with `openssl rsa -RSAPublicKey_in -pubout`",
  "EC PRIVATE KEY": "that is SEC 1; convert it with `openssl pkcs8 -topk8 -nocrypt`",
  CERTIFICATE: "take the key out with `openssl x509 -pubkey -noout`",
  "ENCRYPTED PRIVATE KEY":
    "it needs its passphrase: use importProtectedPrivateKey or importProtectedSigningKey of sealwire/keys",
}

/**
 * Reads the DER inside one PEM block of the label that is expected.
 *
 * @throws `SealwireError` `ERR_KEY`
 */
export function decodePem(pem: string, expected: PemLabel): Bytes {
  const match = pem.length <= MAX_PEM_CHARACTERS ? BLOCK.exec(pem) : null
  const [, begin, body, end] = match ?? []
  if (begin === undefined || body === undefined || begin !== end) refuseKey("not one block of PEM")
  if (begin !== expected) {
    const hint = HINTS[begin]
    refuseKey(`PEM says "${begin}" where "${expected}" is expected${hint === undefined ? "" : `: ${hint}`}`)
  }
  const base64 = body.replace(/[\r\n]/g, "")
  const der = base64.length % 4 === 0 ? decodeBase64url(toBase64url(base64)) : undefined
  return der ?? refuseKey("the body of the PEM is not base64")
}

/** Writes one PEM block. */
export function encodePem(label: PemLabel, der: Bytes): string {
  const base64 = encodeBase64url(der).replaceAll("-", "+").replaceAll("_", "/")
  const padded = base64.padEnd(Math.ceil(base64.length / 4) * 4, "=")
  const lines = padded.match(new RegExp(`.{1,${LINE}}`, "g")) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

function toBase64url(base64: string): string {
  return base64
    .replace(/={1,2}$/, "")
    .replaceAll("+", "-")
    .replaceAll("/", "_")
}
