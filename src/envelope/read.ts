/**
 * Reading an envelope of any type: steps 1 to 7 of docs/protocol.md §3.4, in their order. What comes out is authentic; whether
 * it counts (step 8) is decided by a replay guard.
 *
 * @module
 */

import { type Bytes, equalConstantTime } from "../base/bytes.ts"
import { openFailed, SealwireError } from "../base/errors.ts"
import type { Backend, MaybePromise } from "../crypto/backend.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { type Covered, digestOf, nonceOf } from "./digest.ts"
import type { EnvelopeType, Header } from "./header.ts"
import { type Envelope, FIXED_BYTES, parseEnvelope, parsePlaintext, type Plaintext } from "./layout.ts"

/** What a session adds to its key. docs/protocol.md §6. */
export interface SessionBinding {
  /** The session's id. */
  readonly id: string
  /** Thumbprint of who signed the opening: the messages are that signer's, signed or not. Undefined for nobody. */
  readonly opener: string | undefined
  /** In mode `each`, the context of the message with this nonce. */
  contextHash?(nonce: Bytes): MaybePromise<string>
  /**
   * Notes that a message counts, after step 8.
   *
   * @throws `SealwireError` `ERR_NO_SESSION` when the session has ended meanwhile.
   */
  touch(): MaybePromise<void>
}

/** The one key that a `kid` names. */
export interface SelectedKey {
  readonly backend: Backend
  /** Bytes of the encrypted key that fit this key: those of the modulus, or none. */
  readonly encryptedKeyBytes: number
  /** When this process made the key, or the session it belongs to; undefined for one from outside (§4, restart rule). */
  readonly madeAtMs: number | undefined
  /** Unwraps the encrypted key, or derives the content key from the nonce. Any failure throws. */
  contentKey(encryptedKey: Bytes, nonce: Bytes): MaybePromise<Bytes>
  /** The session that the key belongs to, where there is one. */
  readonly session?: SessionBinding
}

/** Who sent an envelope, by its S; undefined where S is missing or not by whom it must be. */
export type ReadSigner = (
  signature: Bytes,
  covered: Covered,
  session: SessionBinding | undefined,
) => MaybePromise<{ readonly signer: string | undefined } | undefined>

/** What a reader expects. */
export interface Reading {
  readonly type: EnvelopeType
  readonly maxMessageBytes: number
  /**
   * Step 4.
   *
   * @throws `SealwireError` `ERR_NO_SESSION`, and what a store of sessions throws.
   */
  readonly select: (kid: string) => MaybePromise<SelectedKey | undefined>
  /** Step 5: the expected context. */
  readonly contextHash: (backend: Backend) => MaybePromise<string>
  /** Step 5, coarse freshness. */
  readonly isNear: (issuedAtSeconds: number) => boolean
  /** Step 7, S. */
  readonly readSigner: ReadSigner
}

/** An authentic envelope. */
export interface Authentic {
  /** The key that opened it. */
  readonly selected: SelectedKey
  readonly header: Header
  readonly message: Bytes
  readonly messageDigest: Bytes
  readonly seed: Bytes
  readonly signer: string | undefined
}

/** Step 6. A failure goes on with a random key, so that it shows at step 7 only, as any other (RFC 7516 §11.5). */
async function contentKeyOf(selected: SelectedKey, { encryptedKey, nonce }: Envelope): Promise<Bytes> {
  const decoy = selected.backend.randomBytes(KEY_BYTES)
  try {
    const key = await selected.contentKey(encryptedKey, nonce)
    return key.length === KEY_BYTES ? key : decoy
  } catch (error) {
    // a key service that was not reached, or a session that ends at that moment, says nothing about the envelope
    const code = error instanceof SealwireError && error.code
    if (code === "ERR_KEY_UNAVAILABLE" || code === "ERR_NO_SESSION") throw error
    return decoy
  }
}

/** Step 7, first part: the tag, then the layout. */
async function decrypt(backend: Backend, key: Bytes, envelope: Envelope): Promise<Plaintext | undefined> {
  const { iv, headerSegment, sealed } = envelope
  try {
    return parsePlaintext(await backend.openAesGcm(key, iv, headerSegment, sealed))
  } catch {
    return undefined
  }
}

/** What is checked in place of a plaintext that there is not, so that this failure takes as long as a wrong digest. */
function decoyOf({ backend }: SelectedKey, { sealed }: Envelope): Plaintext {
  const random = backend.randomBytes(KEY_BYTES)
  return {
    digest: random,
    seed: random,
    signature: random.subarray(0, 0),
    message: sealed.ciphertext.subarray(FIXED_BYTES),
  }
}

/** Step 7, the rest: the nonce comes from the seed, D covers all, S is who it says. */
async function authenticate(
  selected: SelectedKey,
  { header, headerSegment, nonce }: Envelope,
  { digest, seed, signature, message }: Plaintext,
  { readSigner }: Reading,
): Promise<Authentic | undefined> {
  const { backend, session } = selected
  const isNonceRight = equalConstantTime(await nonceOf(backend, seed), nonce)
  const messageDigest = await backend.sha256(message)
  const covered = { headerSegment, seed, messageDigest }
  const isDigestRight = equalConstantTime(await digestOf(backend, covered, signature), digest)
  if (!isNonceRight || !isDigestRight) return undefined
  const signed = await readSigner(signature, covered, session)
  return signed && { selected, header, message, messageDigest, seed, signer: signed.signer }
}

/** Opens as far as step 7; undefined for every failure, which spares those who refuse many the cost of an error. */
export async function tryRead(text: unknown, reading: Reading): Promise<Authentic | undefined> {
  const envelope = parseEnvelope(text, reading.type, reading.maxMessageBytes) // steps 1 to 3
  if (!envelope) return undefined
  const { header, encryptedKey } = envelope
  const selected = await reading.select(header.kid) // step 4
  if (selected?.encryptedKeyBytes !== encryptedKey.length) return undefined
  const { backend, session } = selected
  const contextHash = await (session?.contextHash?.(envelope.nonce) ?? reading.contextHash(backend))
  if (contextHash !== header.contextHash) return undefined // step 5
  if (!reading.isNear(header.issuedAtSeconds)) return undefined
  const key = await contentKeyOf(selected, envelope) // step 6
  const plaintext = await decrypt(backend, key, envelope) // step 7
  if (!plaintext) {
    await authenticate(selected, envelope, decoyOf(selected, envelope), reading)
    return undefined
  }
  // the cap of step 1 left room for the longest signature and encrypted key
  if (plaintext.message.length > reading.maxMessageBytes) return undefined
  return authenticate(selected, envelope, plaintext, reading)
}

/**
 * Reads an envelope.
 *
 * @throws `SealwireError` `ERR_OPEN_FAILED`, always the same; `ERR_KEY_UNAVAILABLE` when a key service was not reached; what
 *   `select` throws.
 */
export async function readEnvelope(text: unknown, reading: Reading): Promise<Authentic> {
  const authentic = await tryRead(text, reading)
  if (!authentic) throw openFailed()
  return authentic
}
