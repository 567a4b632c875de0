/**
 * The sender's signature inside an envelope: a compact JWS (RFC 7515) over the digest of what it is sealed with. docs/protocol.md §3.3.
 *
 * @module
 */

import { decodeBase64url, encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { SignatureAlgorithm, VerifyHandle } from "../crypto/backend.ts"
import { materialOf, type SigningKey, type VerifyingKey } from "../keys/key.ts"
import { type Covered, signatureDigestOf } from "./digest.ts"

/** Finds the key of a signer by its thumbprint; undefined for a stranger. */
export type FindSigner = (kid: string) => VerifyingKey | undefined | Promise<VerifyingKey | undefined>

const COMPACT = /^([\w-]{100,140})\.([\w-]{43})\.([\w-]{86})$/
const HEADER = /^\{"alg":"(Ed25519|ES256)","kid":"([\w-]{43})","typ":"sw1-sig"\}$/

/** S: the signature of a sender, or nothing. */
export async function sign(key: SigningKey | undefined, covered: Covered): Promise<Bytes> {
  if (!key) return new Uint8Array(0)
  const { backend, handle } = materialOf(key, "signing", "signWith")
  const header = `{"alg":"${key.algorithm}","kid":"${key.kid}","typ":"sw1-sig"}`
  const payload = await signatureDigestOf(backend, covered)
  const signed = `${encodeBase64url(encodeAscii(header))}.${encodeBase64url(payload)}`
  return encodeAscii(`${signed}.${encodeBase64url(await handle.sign(encodeAscii(signed)))}`)
}

interface Jws {
  readonly algorithm: SignatureAlgorithm
  readonly kid: string
  readonly payload: string
  readonly signed: Bytes
  readonly signature: Bytes
}

function parse(signature: Bytes): Jws | undefined {
  const [, header = "", payload = "", value = ""] = COMPACT.exec(decodeUtf8(signature) ?? "") ?? []
  const headerBytes = decodeBase64url(header)
  const signatureBytes = decodeBase64url(value)
  const [, algorithm, kid] = HEADER.exec((headerBytes && decodeUtf8(headerBytes)) ?? "") ?? []
  if (algorithm === undefined || kid === undefined || !signatureBytes) return undefined
  return {
    algorithm: algorithm as SignatureAlgorithm,
    kid,
    payload,
    signed: encodeAscii(`${header}.${payload}`),
    signature: signatureBytes,
  }
}

/** A platform may also throw, for a signature or a key that cannot be. */
async function isValid(handle: VerifyHandle, { signature, signed }: Jws): Promise<boolean> {
  try {
    return await handle.verify(signature, signed)
  } catch {
    return false
  }
}

/** The thumbprint of who made S; undefined unless it is a signature of exactly this by a key that `find` knows. */
export async function verify(
  signature: Bytes,
  covered: Covered,
  find: FindSigner,
): Promise<string | undefined> {
  const jws = parse(signature)
  const key = jws && (await find(jws.kid))
  if (!jws || !key) return undefined
  const { backend, handle } = materialOf(key, "verifying", "the key of a signer")
  if (key.kid !== jws.kid || key.algorithm !== jws.algorithm) return undefined
  if (encodeBase64url(await signatureDigestOf(backend, covered)) !== jws.payload) return undefined
  return (await isValid(handle, jws)) ? key.kid : undefined
}
