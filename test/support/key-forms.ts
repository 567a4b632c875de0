/** One key in every form in which a key comes, made by `node:crypto` and WebCrypto, never by the library. */

import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto"

import type { Jwk } from "../../src/crypto/backend.ts"

/** The name of a form. */
export type Form = "JWK" | "DER" | "PEM" | "CryptoKey"
export const FORMS: readonly Form[] = ["JWK", "DER", "PEM", "CryptoKey"]

const OAEP = { name: "RSA-OAEP", hash: "SHA-256" }
const ALGORITHMS: Record<string, [algorithm: object, publicUsage: KeyUsage, privateUsage: KeyUsage]> = {
  RSA: [OAEP, "encrypt", "decrypt"],
  OKP: [{ name: "Ed25519" }, "verify", "sign"],
  EC: [{ name: "ECDSA", namedCurve: "P-256" }, "verify", "sign"],
}

/** Imports DER as a `CryptoKey`; the algorithm is that of the protocol, unless told otherwise. */
export async function cryptoKeyOf(
  jwk: Jwk,
  extractable = true,
  algorithm?: object,
  usages?: KeyUsage[],
): Promise<CryptoKey> {
  const isPrivate = "d" in jwk
  const [usual, publicUsage, privateUsage] = ALGORITHMS[jwk.kty] ?? [OAEP, "encrypt", "decrypt"]
  return crypto.subtle.importKey(
    isPrivate ? "pkcs8" : "spki",
    new Uint8Array(derOf(jwk)),
    (algorithm ?? usual) as RsaHashedImportParams,
    extractable,
    usages ?? [isPrivate ? privateUsage : publicUsage],
  )
}

/** SPKI or PKCS #8. */
export function derOf(jwk: Jwk): Buffer {
  const input = { key: jwk as never, format: "jwk" } as const
  return "d" in jwk
    ? createPrivateKey(input).export({ type: "pkcs8", format: "der" })
    : createPublicKey(input).export({ type: "spki", format: "der" })
}

export function pemOf(jwk: Jwk): string {
  const input = { key: jwk as never, format: "jwk" } as const
  return "d" in jwk
    ? (createPrivateKey(input).export({ type: "pkcs8", format: "pem" }) as string)
    : (createPublicKey(input).export({ type: "spki", format: "pem" }) as string)
}

/** A JWK in another form. */
export async function inForm(jwk: Jwk, form: Form): Promise<Jwk | Uint8Array | string | CryptoKey> {
  if (form === "JWK") return jwk
  if (form === "DER") return derOf(jwk)
  return form === "PEM" ? pemOf(jwk) : cryptoKeyOf(jwk)
}

/** A new RSA key of any size and exponent. */
export function generateRsa(modulusLength: number, publicExponent = 65_537): Jwk {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent })
  return privateKey.export({ format: "jwk" }) as Jwk
}
