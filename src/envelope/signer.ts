/**
 * Who sent an envelope: the last of step 7 (docs/protocol.md §3.4), as a reader's policy has it.
 *
 * @module
 */

import type { ReadSigner } from "./read.ts"
import { verify } from "./signature.ts"
import type { SignerPolicy } from "./signers.ts"

/** S by a policy: a required signature, or an optional one that can be checked. */
export function signerReader({ findSigner, signatureRequired }: SignerPolicy): ReadSigner {
  return async (signature, covered, session) => {
    if (signature.length === 0) {
      const opener = session?.opener
      // a session may have been opened under a policy that demanded less
      const isMet = !signatureRequired || (opener !== undefined && (await findSigner(opener)) !== undefined)
      return isMet ? { signer: opener } : undefined
    }
    const signer = await verify(signature, covered, (kid) =>
      session && kid !== session.opener ? undefined : findSigner(kid),
    )
    return signer === undefined ? undefined : { signer }
  }
}
