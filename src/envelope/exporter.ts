/**
 * The exporter: the secret that only the two ends of one envelope share, and what is derived from it. docs/protocol.md §5.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { Backend } from "../crypto/backend.ts"

/** One end of an envelope: enough to derive X, which costs a hash of the envelope and is often not needed. */
export interface EnvelopeEnd {
  readonly backend: Backend
  readonly envelope: string
  readonly seed: Bytes
  /** `kid` of the envelope. */
  readonly kid: string
}

/** `X = HMAC-SHA-256(key = H256(envelope, ASCII), data = seed)`: HKDF-Extract (RFC 5869 §2.2). */
export async function exportSecret(backend: Backend, envelope: Bytes, seed: Bytes): Promise<Bytes> {
  return backend.hmacSha256(await backend.sha256(envelope), seed)
}
