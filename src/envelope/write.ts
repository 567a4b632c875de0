/**
 * Writing an envelope of any type: header, digest, signature, AES-GCM. docs/protocol.md §3.2.
 *
 * @module
 */

import { asciiBytes, encodeBase64url } from "#base64url"

import { type Bytes, NOTHING } from "../base/bytes.ts"
import type { Backend, MaybePromise, WrapHandle } from "../crypto/backend.ts"
import { IV_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import type { SigningKey } from "../keys/key.ts"
import { digestOf, nonceOf } from "./digest.ts"
import type { EnvelopeEnd } from "./exporter.ts"
import { type EnvelopeType, serializeHeader } from "./header.ts"
import { serializeEnvelope, serializePlaintext } from "./layout.ts"
import { sign } from "./signature.ts"

/** What is to be written. All bytes belong to the writer: no caller can change them any more. */
export interface Writing {
  readonly backend: Backend
  readonly type: EnvelopeType
  readonly kid: string
  /** Gives `ctx` for a nonce: in one kind of session each message has a context of its own (§6). */
  readonly contextHash: (backend: Backend, nonce: Bytes) => MaybePromise<string>
  readonly message: Bytes
  readonly signWith?: SigningKey | undefined
  /** What wraps a fresh content key (RSA-OAEP-256), or derives one that the reader derives too (dir). */
  readonly contentKey: WrapHandle | ((nonce: Bytes) => MaybePromise<Bytes>)
}

/** What is different in each envelope. */
export interface Fresh {
  readonly seed: Bytes
  readonly contentKey: Bytes
  readonly iv: Bytes
  readonly issuedAtSeconds: number
}

/**
 * Writes an envelope, and keeps what its reply needs. `given` takes the place of what is fresh: a sender's corrected time, or all
 * of it, to reproduce a known answer. Seed, key and IV must never repeat.
 */
export async function writeEnvelope(writing: Writing, given: Partial<Fresh> = {}): Promise<EnvelopeEnd> {
  const { backend, type, kid, message, signWith, contentKey } = writing
  const {
    seed = backend.randomBytes(KEY_BYTES),
    iv = backend.randomBytes(IV_BYTES),
    issuedAtSeconds = Math.floor(Date.now() / 1000),
  } = given
  const nonce = await nonceOf(backend, seed)
  const id = encodeBase64url(nonce)
  const contextHash = await writing.contextHash(backend, nonce)
  const segment = encodeBase64url(
    asciiBytes(serializeHeader({ type, contextHash, issuedAtSeconds, id, kid })),
  )
  const headerSegment = asciiBytes(segment)
  const covered = { headerSegment, seed, messageDigest: await backend.sha256(message) }
  const signature = signWith ? await sign(signWith, covered) : NOTHING
  const digest = await digestOf(backend, covered, signature)
  const isDerived = typeof contentKey === "function"
  const key = isDerived ? await contentKey(nonce) : (given.contentKey ?? backend.randomBytes(KEY_BYTES))
  const encryptedKey = isDerived ? NOTHING : await contentKey.wrap(key)
  const plaintext = serializePlaintext({ digest, seed, signature, message })
  const output = await backend.sealAesGcm(key, iv, headerSegment, plaintext)
  return { backend, envelope: serializeEnvelope(segment, encryptedKey, iv, output), seed, kid }
}
