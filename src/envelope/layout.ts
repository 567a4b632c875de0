/**
 * The envelope's layout: text ⇄ segments, and the plaintext's fields ⇄ bytes. No cryptography. docs/protocol.md §3.2 and §3.4.
 *
 * @module
 */

import { asciiBytes, decodeBase64url, encodeBase64url } from "#base64url"

import { type Bytes, concat } from "../base/bytes.ts"
import { decodeUtf8 } from "../base/text.ts"
import type { AesGcmSealed } from "../crypto/backend.ts"
import { HASH_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import {
  ENVELOPE_TYPES,
  type EnvelopeType,
  type Header,
  headerSegmentLengths,
  parseHeader,
} from "./header.ts"

/** `D(32) ‖ seed(32) ‖ u16(length of S)`: what stands before S and M in the plaintext. */
export const FIXED_BYTES: number = HASH_BYTES + KEY_BYTES + 2
/** The signature of §3.3 takes 250 bytes; nothing longer has a meaning. */
const MAX_SIGNATURE_BYTES = 512

const IV_CHARACTERS = 16
const TAG_CHARACTERS = 22
/** An encrypted key under a modulus of 2048, 3072 or 4096 bits. */
const ENCRYPTED_KEY_CHARACTERS: readonly number[] = [342, 512, 683]

const MAX_MODULUS_BYTES = 512

const charactersOf = (bytes: number): number => Math.ceil((bytes * 4) / 3)

/** An envelope taken apart: canonical, of the right lengths, its header within the grammar. */
export interface Envelope {
  readonly header: Header
  /** H, the header segment: what the tag and the digest cover. */
  readonly headerSegment: Bytes
  /** `jti`, decoded. */
  readonly nonce: Bytes
  readonly encryptedKey: Bytes
  readonly iv: Bytes
  readonly sealed: AesGcmSealed
}

type Segments = [header: string, encryptedKey: string, iv: string, ciphertext: string, tag: string]

/** The five segments; the limit stops at the fifth dot, so that a million of them cost no more. */
function splitSegments(text: string): Segments | undefined {
  const segments = text.split(".", 6)
  return segments.length === 5 ? (segments as Segments) : undefined
}

function hasLengths([header, encryptedKey, iv, ciphertext, tag]: Segments, type: EnvelopeType): boolean {
  const isDerived = ENVELOPE_TYPES[type].alg === "dir"
  return (
    headerSegmentLengths(type).includes(header.length) &&
    (isDerived ? encryptedKey === "" : ENCRYPTED_KEY_CHARACTERS.includes(encryptedKey.length)) &&
    iv.length === IV_CHARACTERS &&
    ciphertext.length >= charactersOf(FIXED_BYTES) &&
    tag.length === TAG_CHARACTERS
  )
}

/** Characters of an envelope with this much encrypted key, and this much of S and M. */
export function envelopeCharacters(
  type: EnvelopeType,
  encryptedKeyBytes: number,
  signatureAndMessageBytes: number,
): number {
  const header = Math.max(...headerSegmentLengths(type))
  const ciphertext = charactersOf(FIXED_BYTES + signatureAndMessageBytes)
  return header + charactersOf(encryptedKeyBytes) + IV_CHARACTERS + ciphertext + TAG_CHARACTERS + 4
}

/** The longest envelope for messages up to a size. */
export function maxEnvelopeCharacters(maxMessageBytes: number): number {
  return envelopeCharacters("sw1-stream", MAX_MODULUS_BYTES, MAX_SIGNATURE_BYTES + maxMessageBytes)
}

/** Whether a text can only be of that type, if it is an envelope at all. No two types of messages have headers of one length. */
export function looksLike(text: unknown, type: EnvelopeType): boolean {
  return typeof text === "string" && headerSegmentLengths(type).includes(text.indexOf("."))
}

/** §3.4, steps 1 to 3. Undefined for anything that is not an envelope of that type. */
export function parseEnvelope(
  text: unknown,
  type: EnvelopeType,
  maxMessageBytes: number,
): Envelope | undefined {
  // step 1; that only the alphabet occurs is proven by the canonical decoding of step 3
  if (typeof text !== "string" || text.length > maxEnvelopeCharacters(maxMessageBytes)) return undefined
  const segments = splitSegments(text)
  // step 2
  if (!segments || !hasLengths(segments, type)) return undefined
  // step 3
  const [headerBytes, encryptedKey, iv, ciphertext, tag] = segments.map(decodeBase64url)
  if (!headerBytes || !encryptedKey || !iv || !ciphertext || !tag) return undefined
  const header = parseHeader(decodeUtf8(headerBytes) ?? "", type)
  const nonce = header && decodeBase64url(header.id)
  if (!nonce) return undefined
  const headerSegment = asciiBytes(segments[0])
  return { header, headerSegment, nonce, encryptedKey, iv, sealed: { ciphertext, tag } }
}

/** `H . b64u(encrypted key) . b64u(IV) . b64u(C) . b64u(T)`; `H` comes encoded, since the tag covers it. */
export function serializeEnvelope(
  headerSegment: string,
  encryptedKey: Bytes,
  iv: Bytes,
  { ciphertext, tag }: AesGcmSealed,
): string {
  return [headerSegment, ...[encryptedKey, iv, ciphertext, tag].map(encodeBase64url)].join(".")
}

/** The fields of P. */
export interface Plaintext {
  readonly digest: Bytes
  readonly seed: Bytes
  readonly signature: Bytes
  readonly message: Bytes
}

/** `P = D(32) ‖ seed(32) ‖ u16(length of S) ‖ S ‖ M` */
export function serializePlaintext({ digest, seed, signature, message }: Plaintext): Bytes {
  const signatureLength = new Uint8Array([signature.length >> 8, signature.length])
  return concat(digest, seed, signatureLength, signature, message)
}

/**
 * Takes P apart. Undefined when S is longer than what is there.
 *
 * The digest, seed and signature are copied and their place in P is wiped, because the message stays a view of P: who
 * holds the message must not reach the seed through its buffer.
 */
export function parsePlaintext(plaintext: Bytes): Plaintext | undefined {
  const signatureLength = ((plaintext[64] ?? 0) << 8) | (plaintext[65] ?? 0)
  const start = FIXED_BYTES + signatureLength
  if (plaintext.length < start) return undefined
  const copy = (from: number, to: number): Bytes => new Uint8Array(plaintext.subarray(from, to))
  const parts = {
    digest: copy(0, 32),
    seed: copy(32, 64),
    signature: copy(FIXED_BYTES, start),
    message: new Uint8Array(plaintext.buffer, plaintext.byteOffset + start, plaintext.length - start),
  }
  plaintext.fill(0, 0, start)
  return parts
}
