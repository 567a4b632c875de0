/**
 * The forms in which a key comes: PEM, DER, JWK, the platform's `CryptoKey`. Read here, checked in jwk.ts.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { copyBytes, describe } from "../base/text.ts"
import type { Backend, CryptoKeyLike, Jwk } from "../crypto/backend.ts"
import { isCryptoKey } from "../crypto/subtle.ts"
import { orRefuse, refuseKey } from "./jwk.ts"
import { decodePem } from "./pem.ts"

/** The platform's pair, for a private `CryptoKey` that cannot be exported to learn its name. */
export interface CryptoKeyPairLike {
  readonly publicKey: CryptoKeyLike
  readonly privateKey: CryptoKeyLike
}

/** SPKI as PEM or DER, a JWK, or an extractable `CryptoKey`. */
export type PublicKeySource = string | Uint8Array | Jwk | CryptoKeyLike

/** PKCS #8 as PEM or DER, a JWK, an extractable `CryptoKey`, or the pair of a `CryptoKey` that is not extractable. */
export type PrivateKeySource = PublicKeySource | CryptoKeyPairLike

/** A source, read: its members, or the public ones beside the platform's own private key. */
export interface ReadSource {
  readonly jwk: Jwk
  readonly native?: CryptoKeyLike
}

/** Whether one outermost SEQUENCE (X.690 §8.1.3, §10.1) is all there is: platforms ignore what follows it. */
function isWhole(der: Bytes): boolean {
  const [tag, first = 0] = der
  const lengthBytes = first < 0x80 ? 0 : first - 0x80
  let length = lengthBytes === 0 ? first : 0
  for (const byte of der.subarray(2, 2 + lengthBytes)) length = length * 256 + byte
  return tag === 0x30 && lengthBytes <= 2 && der.length === 2 + lengthBytes + length
}

async function readDer(backend: Backend, format: "spki" | "pkcs8", der: Bytes): Promise<ReadSource> {
  if (!isWhole(der)) refuseKey("not one DER sequence")
  const reason = `not ${format === "spki" ? "SPKI" : "PKCS #8"} of an RSA, Ed25519 or P-256 key`
  try {
    return { jwk: await orRefuse(reason, () => backend.decodeDer(format, der)) }
  } finally {
    der.fill(0)
  }
}

async function readCryptoKey(backend: Backend, key: CryptoKeyLike): Promise<ReadSource> {
  if (key.extractable) return { jwk: await backend.decodeCryptoKey(key) }
  return refuseKey(
    "this CryptoKey is not extractable, so its name is not known: pass { publicKey, privateKey }",
  )
}

/** Reads a source of either kind; `format` tells which is expected. */
export async function readSource(
  backend: Backend,
  format: "spki" | "pkcs8",
  source: PrivateKeySource,
): Promise<ReadSource> {
  if (typeof source === "string") {
    return readDer(backend, format, decodePem(source, format === "spki" ? "PUBLIC KEY" : "PRIVATE KEY"))
  }
  if (typeof source !== "object" || (source as unknown) === null) {
    throw new TypeError(`source must be PEM, DER, a JWK or a CryptoKey, not ${describe(source)}`)
  }
  if (ArrayBuffer.isView(source)) return readDer(backend, format, copyBytes(source, "source"))
  if (isCryptoKey(source)) return readCryptoKey(backend, source)
  if (format === "pkcs8" && "privateKey" in source) {
    const { publicKey, privateKey } = source as CryptoKeyPairLike
    if (!isCryptoKey(publicKey) || !isCryptoKey(privateKey)) {
      throw new TypeError("source must be a pair of CryptoKeys where it has a privateKey")
    }
    return { ...(await readCryptoKey(backend, publicKey)), native: privateKey }
  }
  return { jwk: { ...(source as Jwk) } }
}
