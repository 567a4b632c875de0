/**
 * Writing an envelope of any type: header, digest, signature, AES-GCM. docs/protocol.md §3.2.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { IV_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import type { SigningKey } from "../keys/key.ts"
import { digestOf, nonceOf } from "./digest.ts"
import { type EnvelopeType, serializeHeader } from "./header.ts"
import { serializeEnvelope, serializePlaintext } from "./layout.ts"
import { sign } from "./signature.ts"

/** A content key, and what the envelope says of it: its encryption, or nothing where the reader derives it. */
export interface ContentKey {
  readonly key: Bytes
  readonly encryptedKey: Bytes
}

/** What is to be written. All bytes belong to the writer: no caller can change them any more. */
export interface Writing {
  readonly backend: Backend
  readonly type: EnvelopeType
  readonly kid: string
  /** The hash itself, or what gives it for a nonce: in one kind of session each message has a context of its own (§6). */
  readonly contextHash: string | ((nonce: Bytes) => MaybePromise<string>)
  readonly message: Bytes
  readonly signWith?: SigningKey | undefined
  /** Wraps the fresh key (RSA-OAEP-256), or derives one from the nonce (dir). */
  contentKey(fresh: Bytes, nonce: Bytes): MaybePromise<ContentKey>
}

/** What is different in each envelope. */
export interface Fresh {
  readonly seed: Bytes
  readonly contentKey: Bytes
  readonly iv: Bytes
  readonly issuedAtSeconds: number
}

/** An envelope, and what its writer needs to open the reply. */
export interface Written {
  readonly envelope: string
  readonly seed: Bytes
}

/** Fresh random bytes, and the time. */
function generateFresh(backend: Backend): Fresh {
  return {
    seed: backend.randomBytes(KEY_BYTES),
    contentKey: backend.randomBytes(KEY_BYTES),
    iv: backend.randomBytes(IV_BYTES),
    issuedAtSeconds: Math.floor(Date.now() / 1000),
  }
}

function contextHashFor({ contextHash }: Writing, nonce: Bytes): MaybePromise<string> {
  return typeof contextHash === "string" ? contextHash : contextHash(nonce)
}

/**
 * Writes an envelope. `given` takes the place of what is fresh: a sender's corrected time, or all of it, to reproduce a known
 * answer. Seed, key and IV must never repeat.
 */
export async function writeEnvelope(writing: Writing, given?: Partial<Fresh>): Promise<Written> {
  const { backend, type, kid, message } = writing
  const fresh = { ...generateFresh(backend), ...given }
  const { seed, iv, issuedAtSeconds } = fresh
  const nonce = await nonceOf(backend, seed)
  const id = encodeBase64url(nonce)
  const contextHash = await contextHashFor(writing, nonce)
  const segment = encodeBase64url(
    encodeAscii(serializeHeader({ type, contextHash, issuedAtSeconds, id, kid })),
  )
  const headerSegment = encodeAscii(segment)
  const covered = { headerSegment, seed, messageDigest: await backend.sha256(message) }
  const signature = await sign(writing.signWith, covered)
  const digest = await digestOf(backend, covered, signature)
  const { key, encryptedKey } = await writing.contentKey(fresh.contentKey, nonce)
  const plaintext = serializePlaintext({ digest, seed, signature, message })
  const output = await backend.sealAesGcm(key, iv, headerSegment, plaintext)
  return { envelope: serializeEnvelope(segment, encryptedKey, iv, output), seed }
}
