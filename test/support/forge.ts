/**
 * Forged envelopes: docs/protocol.md §3 and §5 written a second time, over `node:crypto` alone, with every part open to be
 * wrong. Left alone it seals as the library does, which the known answers prove of both.
 */

import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  publicEncrypt,
  type RsaPrivateKey,
  type RsaPublicKey,
  sign,
} from "node:crypto"

import type { Jwk } from "../../src/crypto/backend.ts"
import { knownAnswers } from "./vectors.ts"

/** The time of every forgery, unless it says otherwise. */
export const NOW_SECONDS = 1_790_000_000

/** What a refusal must not show. A forgery uses these, unless it says otherwise. */
export const SEED: Buffer = Buffer.from("the seed of every forged envelope".slice(0, 32))
export const CONTENT_KEY: Buffer = Buffer.from("the content key of every forgery".slice(0, 32))
export const MESSAGE = "the message that nobody else may read"

type Text = string | Uint8Array

export const b64u = (text: Text): string => Buffer.from(text as string).toString("base64url")
export const sha256 = (...parts: Text[]): Buffer => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function lp(text: Text): Buffer {
  const bytes = Buffer.from(text as string)
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(bytes.length))
  return Buffer.concat([length, bytes])
}

const label = (name: string): Buffer => lp(`sealwire/1 ${name}`)

function expand(key: Uint8Array, name: string, data: Text = "", length = 32): Buffer {
  const mac = createHmac("sha256", key).update(label(name)).update(data).update(Buffer.of(1))
  return mac.digest().subarray(0, length)
}

/** `jti`, before its encoding. */
export const nonceOf = (seed: Uint8Array): Buffer => expand(seed, "nonce", "", 16)

/** `ctx`. */
export const contextHashOf = (context: Text): string => b64u(sha256(label("context"), lp(context)))

/** The id under which a store holds an envelope. */
export const claimIdOf = (kid: string, jti: string): string => b64u(sha256(label("claim"), lp(kid), lp(jti)))

/** RFC 7638, of an RSA, Ed25519 or P-256 key. */
export function thumbprintOf({ crv, e, kty, n, x, y }: Jwk): string {
  return b64u(sha256(JSON.stringify({ crv, e, kty, n, x, y })))
}

/** The members of a header, in their order; an undefined one is left out. */
export interface Members {
  readonly alg: unknown
  readonly ctx: unknown
  readonly enc: unknown
  readonly iat: unknown
  readonly jti: unknown
  readonly kid: unknown
  readonly typ: unknown
}

/** Every part of an envelope: what it is made from, and what is done to it on the way. */
export interface Parts {
  readonly recipient: Jwk
  readonly context: Text
  readonly message: Text
  readonly seed: Uint8Array
  readonly contentKey: Uint8Array
  readonly iv: Uint8Array
  readonly issuedAtSeconds: number
  /** Members that replace the right ones. */
  readonly members: Partial<Members>
  readonly header: (right: string, members: Members) => Text
  readonly encryptedKey: (right: Buffer) => Uint8Array
  /** Makes S from the 32 bytes that it must cover. */
  readonly signature: (payload: Buffer) => Text
  /** The field before S. */
  readonly signatureLength: (right: number) => number
  readonly digest: (right: Buffer) => Uint8Array
  readonly plaintext: (right: Buffer) => Uint8Array
  readonly segments: (right: string[]) => string[]
}

const same = <Part>(right: Part): Part => right

const RIGHT: Parts = {
  recipient: knownAnswers.recipient,
  context: "",
  message: MESSAGE,
  seed: SEED,
  contentKey: CONTENT_KEY,
  iv: Buffer.alloc(12, 7),
  issuedAtSeconds: NOW_SECONDS,
  members: {},
  header: same,
  encryptedKey: same,
  signature: () => "",
  signatureLength: same,
  digest: same,
  plaintext: same,
  segments: same,
}

/** How RSA is padded, as far as these tests change it. */
type RsaPadding = Pick<RsaPublicKey, "padding"> & Pick<RsaPrivateKey, "oaepHash" | "oaepLabel">

/** RSA encryption under a JWK; OAEP with SHA-256, unless told otherwise. */
export function encryptRsa({ n, e }: Jwk, bytes: Uint8Array, options: RsaPadding = {}): Buffer {
  const key = createPublicKey({ key: { kty: "RSA", n, e } as never, format: "jwk" })
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }
  return publicEncrypt({ key, ...oaep, ...options }, bytes)
}

/** AES-256-GCM; the tag is apart. */
export function encryptGcm(
  key: Uint8Array,
  iv: Uint8Array,
  aad: Text,
  plaintext: Uint8Array,
): [Buffer, Buffer] {
  const cipher = createCipheriv("aes-256-gcm", key, iv)
  cipher.setAAD(Buffer.from(aad as string))
  return [Buffer.concat([cipher.update(plaintext), cipher.final()]), cipher.getAuthTag()]
}

/** P, from its parts. */
function plaintextOf(headerSegment: string, parts: Parts): Buffer {
  const { seed, message, signature, signatureLength, digest } = parts
  const messageDigest = sha256(message)
  const S = Buffer.from(
    signature(sha256(label("signature"), lp(headerSegment), lp(seed), messageDigest)) as string,
  )
  const D = sha256(label("digest"), lp(headerSegment), lp(seed), lp(S), messageDigest)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(signatureLength(S.length))
  return Buffer.concat([digest(D), seed, length, S, Buffer.from(message as string)])
}

function assemble(
  parts: Parts,
  right: Members,
  encryptedKey: () => Uint8Array,
  contentKey: Uint8Array,
): string {
  const members = { ...right, ...parts.members }
  const header = b64u(parts.header(JSON.stringify(members), members))
  const plaintext = parts.plaintext(plaintextOf(header, parts))
  const [ciphertext, tag] = encryptGcm(contentKey, parts.iv, header, plaintext)
  const rest = [parts.encryptedKey(Buffer.from(encryptedKey())), parts.iv, ciphertext, tag]
  return parts.segments([header, ...rest.map(b64u)]).join(".")
}

/** An envelope of type `sw1`, right but for the parts that are given. */
export function forge(wrong: Partial<Parts> = {}): string {
  const parts = { ...RIGHT, ...wrong }
  const { recipient, contentKey } = parts
  const members = {
    alg: "RSA-OAEP-256",
    ctx: contextHashOf(parts.context),
    enc: "A256GCM",
    iat: parts.issuedAtSeconds,
    jti: b64u(nonceOf(parts.seed)),
    kid: thumbprintOf(recipient),
    typ: "sw1",
  }
  return assemble(parts, members, () => encryptRsa(recipient, contentKey), contentKey)
}

/** A reply to an envelope, by whoever knows its seed. */
export function forgeReply(request: string, requestSeed: Uint8Array, wrong: Partial<Parts> = {}): string {
  const parts = { ...RIGHT, context: request, ...wrong }
  const { kid } = JSON.parse(Buffer.from(request.split(".")[0] ?? "", "base64url").toString()) as Members
  const exported = createHmac("sha256", sha256(request)).update(requestSeed).digest()
  const nonce = nonceOf(parts.seed)
  const members = {
    alg: "dir",
    ctx: contextHashOf(parts.context),
    enc: "A256GCM",
    iat: parts.issuedAtSeconds,
    jti: b64u(nonce),
    kid,
    typ: "sw1-reply",
  }
  return assemble(parts, members, () => Buffer.alloc(0), expand(exported, "reply", nonce))
}

/** S: a compact JWS by a private JWK. */
export function forgeSignature(signer: Jwk, payload: Uint8Array, members: object = {}): string {
  const alg = signer.kty === "OKP" ? "Ed25519" : "ES256"
  return forgeJws(
    signer,
    JSON.stringify({ alg, kid: thumbprintOf(signer), typ: "sw1-sig", ...members }),
    payload,
  )
}

/** A compact JWS with any header. */
export function forgeJws(signer: Jwk, header: string, payload: Uint8Array): string {
  const signed = `${b64u(header)}.${b64u(payload)}`
  const key = createPrivateKey({ key: signer as never, format: "jwk" })
  const signature = sign(signer.kty === "OKP" ? null : "sha256", Buffer.from(signed), {
    key,
    dsaEncoding: "ieee-p1363",
  })
  return `${signed}.${b64u(signature)}`
}
