/**
 * Whose signatures a reader can check, and whether it demands one. docs/protocol.md §3.3.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { describe } from "../base/text.ts"
import { materialOf, type VerifyingKey } from "../keys/key.ts"
import type { FindSigner, SignerPolicy } from "./signer.ts"

/** Keys, or the way to find one by its thumbprint. */
export type KnownSigners = readonly VerifyingKey[] | ((kid: string) => Promise<VerifyingKey | undefined>)

function byThumbprint(keys: readonly VerifyingKey[], name: string): Map<string, VerifyingKey> {
  for (const key of keys) materialOf(key, "verifying", name)
  return new Map(keys.map((key) => [key.kid, key]))
}

function lookUp(known: KnownSigners): FindSigner {
  if (typeof known !== "function") {
    if (!Array.isArray(known)) {
      throw new TypeError(`options.knownSigners must be an array or a function, not ${describe(known)}`)
    }
    const keys = byThumbprint(known as readonly VerifyingKey[], "options.knownSigners")
    return (kid) => keys.get(kid)
  }
  return async (kid) => {
    try {
      return await known(kid)
    } catch (cause) {
      throw new SealwireError("ERR_KEY_UNAVAILABLE", "the signers could not be looked up", { cause })
    }
  }
}

const NOBODY: SignerPolicy = { signatureRequired: false, findSigner: () => undefined }

/** Reads the options `signedBy` (one of these must have signed) and `knownSigners` (a signature is optional). */
export function signerPolicy(
  signedBy: VerifyingKey | readonly VerifyingKey[] | undefined,
  knownSigners: KnownSigners | undefined,
): SignerPolicy {
  if (signedBy === undefined) {
    return knownSigners === undefined
      ? NOBODY
      : { signatureRequired: false, findSigner: lookUp(knownSigners) }
  }
  if (knownSigners !== undefined) {
    throw new TypeError(
      "options.signedBy and options.knownSigners exclude each other: a required signature is by a known signer",
    )
  }
  const required = byThumbprint([signedBy].flat(), "options.signedBy")
  return { signatureRequired: true, findSigner: (kid) => required.get(kid) }
}
