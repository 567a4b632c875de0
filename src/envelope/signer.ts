/**
 * Who sent an envelope: the last of step 7 (docs/protocol.md §3.4). Checks S, the signature of §3.3, as a reader's policy has it.
 *
 * @module
 */

import { type Bytes, equalConstantTime } from "../base/bytes.ts"
import { decodeUtf8 } from "../base/text.ts"
import { materialOf, type VerifyingKey } from "../keys/key.ts"
import { isSignedBy, parseJws } from "../keys/read-jws.ts"
import { type Covered, signatureDigestOf } from "./digest.ts"
import type { ReadSigner } from "./read.ts"

/** Finds the key of a signer by its thumbprint; undefined for a stranger. */
export type FindSigner = (kid: string) => VerifyingKey | undefined | Promise<VerifyingKey | undefined>

/** What step 7 of §3.4 needs to know. */
export interface SignerPolicy {
  readonly signatureRequired: boolean
  readonly findSigner: FindSigner
}

const HEADER = /^\{"alg":"(Ed25519|ES256)","kid":"([\w-]{43})","typ":"sw1-sig"\}$/

/** The thumbprint of who made S; undefined unless it is a signature of exactly this by a key that `find` knows. */
async function verify(signature: Bytes, covered: Covered, find: FindSigner): Promise<string | undefined> {
  const jws = parseJws(decodeUtf8(signature) ?? "")
  const [, algorithm, kid] = HEADER.exec(jws?.header ?? "") ?? []
  const key = kid === undefined ? undefined : await find(kid)
  if (!jws || !key) return undefined
  const { backend } = materialOf(key, "verifying", "the key of a signer")
  if (key.kid !== kid || key.algorithm !== algorithm) return undefined
  if (!equalConstantTime(await signatureDigestOf(backend, covered), jws.payload)) return undefined
  return (await isSignedBy(key, jws)) ? kid : undefined
}

/** S by a policy: a required signature, or an optional one that can be checked. */
export function signerReader({ findSigner, signatureRequired }: SignerPolicy): ReadSigner {
  const signed: ReadSigner = async (signature, covered, session) => {
    const signer = await verify(signature, covered, (kid) =>
      session && kid !== session.opener ? undefined : findSigner(kid),
    )
    return signer === undefined ? undefined : { signer }
  }
  // a session may have been opened under a policy that demanded less
  const openedBy = async (opener: string | undefined): Promise<{ signer: string } | undefined> =>
    opener !== undefined && (await findSigner(opener)) ? { signer: opener } : undefined
  return (signature, covered, session) => {
    if (signature.length > 0) return signed(signature, covered, session)
    return signatureRequired ? openedBy(session?.opener) : { signer: session?.opener }
  }
}
