/**
 * Sealing bytes to a recipient, under any type whose key is wrapped. docs/protocol.md §3.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import type { Context } from "./context.ts"
import type { EnvelopeEnd } from "./exporter.ts"
import type { EnvelopeType } from "./header.ts"
import { type Fresh, writeEnvelope } from "./write.ts"

/** To whom, for what, and by whom. */
export interface Addressed {
  readonly to: PublicKey
  readonly context: Context
  readonly signWith?: SigningKey | undefined
}

/** Seals bytes that belong to the writer; `given` as for `writeEnvelope`. */
export type Sealer = (message: Bytes, given?: Partial<Fresh>) => Promise<EnvelopeEnd>

/**
 * Reads for whom to seal now, and gives the function that does it.
 *
 * @throws `TypeError` naming the option.
 */
export function sealerFor(type: EnvelopeType, { to, context, signWith }: Addressed): Sealer {
  const { backend, handle } = materialOf(to, "public", "options.to")
  if (signWith !== undefined) materialOf(signWith, "signing", "options.signWith")
  const { kid } = to
  const contextHash = context.hash
  return (message, given) =>
    writeEnvelope({ backend, type, kid, contextHash, message, signWith, contentKey: handle }, given)
}
