/** A recipient, and sealed files to it, for tests of streams. */

import { sealStream, type SealStreamOptions } from "../../src/stream/seal-stream.ts"
import type { Bytes } from "../../src/base/bytes.ts"
import type { PrivateKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { findHeadEnd } from "../../src/stream/layout.ts"
import { collect, piecesOf, plaintextOf } from "./pieces.ts"
import { knownAnswers } from "./vectors.ts"

export const reader: PrivateKey = await importPrivateKey(knownAnswers.recipient)

/** Seals a plaintext of that length, or these bytes. */
export async function sealed(
  plaintext: number | Uint8Array,
  options: Partial<SealStreamOptions> = {},
): Promise<Bytes> {
  const bytes = typeof plaintext === "number" ? plaintextOf(plaintext) : plaintext
  return collect(sealStream(piecesOf(bytes), { to: reader.publicKey, ...options }))
}

/** Where the body begins. */
export function bodyStart(file: Bytes): number {
  return findHeadEnd(file) ?? 0
}
