/**
 * What a JSON Web Key must be to be used here (RFC 7517, RFC 7518 §6, RFC 8037), checked before any cryptography. docs/protocol.md §2.
 *
 * @module
 */

import { decodeBase64url } from "#base64url"

import { SealwireError } from "../base/errors.ts"
import { describe } from "../base/text.ts"
import type {
  Jwk,
  MaybePromise,
  ModulusBits,
  PrivateJwk,
  PublicJwk,
  SignatureAlgorithm,
} from "../crypto/backend.ts"

/** A row for each kind of key: the members of its public and private parts, and what it may declare about itself. */
interface KeyKind {
  /** Members that the RFC 7638 thumbprint covers, in its order. */
  readonly publicMembers: readonly string[]
  readonly privateMembers: readonly string[]
  readonly algorithms: readonly string[]
  readonly use: "enc" | "sig"
  readonly publicOperations: readonly string[]
  readonly privateOperations: readonly string[]
}

const RSA: KeyKind = {
  publicMembers: ["e", "kty", "n"],
  privateMembers: ["d", "p", "q", "dp", "dq", "qi"],
  algorithms: ["RSA-OAEP-256"],
  use: "enc",
  publicOperations: ["encrypt", "wrapKey"],
  privateOperations: ["decrypt", "unwrapKey"],
}

const SIGNATURE = {
  privateMembers: ["d"],
  use: "sig",
  publicOperations: ["verify"],
  privateOperations: ["sign"],
} as const

const ED25519: KeyKind = {
  ...SIGNATURE,
  publicMembers: ["crv", "kty", "x"],
  algorithms: ["Ed25519", "EdDSA"],
}
const P256: KeyKind = { ...SIGNATURE, publicMembers: ["crv", "kty", "x", "y"], algorithms: ["ES256"] }

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]

/** Sizes of a recipient's modulus, in bits (docs/protocol.md §2). */
export const MODULUS_BITS: readonly ModulusBits[] = [2048, 3072, 4096]

/** A key that docs/protocol.md §2 refuses. */
export function refuseKey(reason: string): never {
  throw new SealwireError("ERR_KEY", `refused key: ${reason}`)
}

/** Runs a platform's operation on a key; what it throws becomes a refusal with `reason`, for its words differ by platform. */
export async function orRefuse<Result>(
  reason: string,
  operation: () => MaybePromise<Result>,
): Promise<Result> {
  try {
    return await operation()
  } catch (error) {
    if (error instanceof SealwireError) throw error
    return refuseKey(reason)
  }
}

/** Why a platform does not import checked members. */
export const UNFIT = "its members do not make a key"

function decodeMember(jwk: Jwk, member: string, bytes?: number): Uint8Array {
  const value = jwk[member]
  if (typeof value !== "string") refuseKey(`member "${member}" must be a string, not ${describe(value)}`)
  const decoded = decodeBase64url(value)
  if (!decoded) refuseKey(`member "${member}" is not canonical base64url`)
  if (bytes !== undefined && decoded.length !== bytes) {
    refuseKey(`member "${member}" must be ${bytes} bytes, not ${decoded.length}`)
  }
  return decoded
}

function checkDeclarations(jwk: Jwk, kind: KeyKind, operations: readonly string[]): void {
  const { alg, use, key_ops: declared } = jwk
  if (alg !== undefined && !kind.algorithms.some((known) => known === alg)) {
    refuseKey(`"alg" must be ${kind.algorithms.join(" or ")}, where it is stated`)
  }
  if (use !== undefined && use !== kind.use) refuseKey(`"use" must be "${kind.use}", where it is stated`)
  if (declared === undefined) return
  if (!Array.isArray(declared) || !operations.some((operation) => declared.includes(operation))) {
    refuseKey(`"key_ops" must name "${operations.join('" or "')}", where it is stated`)
  }
}

function checkModulus(jwk: Jwk): void {
  const modulus = decodeMember(jwk, "n")
  if (!MODULUS_BITS.some((bits) => bits === modulus.length * 8) || (modulus[0] ?? 0) < 0x80) {
    refuseKey("the modulus must be exactly 2048, 3072 or 4096 bits, without a leading zero byte")
  }
  if (((modulus.at(-1) ?? 0) & 1) === 0) refuseKey("the modulus is even")
  if (jwk["e"] !== "AQAB") refuseKey("the public exponent must be 65537")
}

function pick(jwk: Jwk, members: readonly string[]): PublicJwk {
  return Object.fromEntries(members.map((member) => [member, jwk[member]])) as PublicJwk
}

function kindOf(jwk: Jwk): KeyKind {
  if (jwk.kty === "RSA") return RSA
  return jwk.kty === "OKP" ? ED25519 : P256
}

function checkPublic(jwk: Jwk): PublicJwk {
  const kind = kindOf(jwk)
  checkDeclarations(jwk, kind, kind.publicOperations)
  if (PRIVATE_MEMBERS.some((member) => member in jwk)) {
    refuseKey("a private key came where a public key is expected")
  }
  return pick(jwk, kind.publicMembers)
}

function checkPrivate(jwk: Jwk): PrivateJwk {
  const kind = kindOf(jwk)
  checkDeclarations(jwk, kind, kind.privateOperations)
  if ("oth" in jwk) refuseKey("RSA keys of more than two primes are not supported")
  for (const member of kind.privateMembers) {
    if (!(member in jwk)) refuseKey(`private member "${member}" is missing`)
    decodeMember(jwk, member)
  }
  return pick(jwk, [...kind.publicMembers, ...kind.privateMembers]) as PrivateJwk
}

function checkRecipient(jwk: Jwk): void {
  if (jwk.kty !== "RSA") refuseKey('"kty" must be "RSA" for a recipient key')
  checkModulus(jwk)
}

function checkSigner(jwk: Jwk): void {
  const curve = `${jwk.kty} ${String(jwk["crv"])}`
  if (curve !== "OKP Ed25519" && curve !== "EC P-256") refuseKey("a signing key must be Ed25519 or P-256")
  decodeMember(jwk, "x", 32)
  if (jwk.kty === "EC") decodeMember(jwk, "y", 32)
}

/** The members of a recipient's public key, copied after all were checked; throws `ERR_KEY` with the rule that it breaks. */
export function checkPublicRecipient(jwk: Jwk): PublicJwk {
  checkRecipient(jwk)
  return checkPublic(jwk)
}

/** The same for a recipient's private key. */
export function checkPrivateRecipient(jwk: Jwk): PrivateJwk {
  checkRecipient(jwk)
  return checkPrivate(jwk)
}

/** The same for a verifying key. */
export function checkVerifier(jwk: Jwk): PublicJwk {
  checkSigner(jwk)
  return checkPublic(jwk)
}

/** The same for a signing key. */
export function checkPrivateSigner(jwk: Jwk): PrivateJwk {
  checkSigner(jwk)
  if ("d" in jwk) decodeMember(jwk, "d", 32)
  return checkPrivate(jwk)
}

/** The public members of a checked key: those that the thumbprint covers. */
export function publicPart(jwk: Jwk): PublicJwk {
  return pick(jwk, kindOf(jwk).publicMembers)
}

/** The size of a checked modulus. */
export function modulusBitsOf(jwk: PublicJwk): ModulusBits {
  return (decodeMember(jwk, "n").length * 8) as ModulusBits
}

/** The JWS algorithm of a checked signing or verifying key. */
export function algorithmOf(jwk: PublicJwk): SignatureAlgorithm {
  return jwk.kty === "OKP" ? "Ed25519" : "ES256"
}
