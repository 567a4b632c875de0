/**
 * RSAES-OAEP encryption on Node. docs/protocol.md §3.1, `RSA-OAEP-256`.
 *
 * @module
 */

import { constants, type KeyObject, publicEncrypt, type RsaPublicKey } from "node:crypto"

import type { Bytes } from "../base/bytes.ts"
import { KEY_BYTES } from "./sizes.ts"

const OPTIONS = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" } as const

/** Whether this runtime reads the options where they are members of the key itself, which is not documented. */
function readsMembers(key: KeyObject): boolean {
  const encrypts = (oaepHash: string): boolean => {
    try {
      publicEncrypt(Object.assign(key, OPTIONS, { oaepHash }), new Uint8Array(KEY_BYTES))
      return true
    } catch {
      return false
    }
  }
  // one that did not read them would silently use SHA-1: so it must fail with a hash that there is not
  return !encrypts("no such hash") && encrypts(OPTIONS.oaepHash)
}

/**
 * Prepares the encryption of content keys to a public key.
 *
 * @param membersOnKey - Passes the options on the key where the runtime reads them there. Node 24 then takes 23 instead of
 *   40 µs, because it throws and catches an error inside for every key that is not itself a KeyObject.
 */
export function oaepEncryption(key: KeyObject, membersOnKey: boolean): (contentKey: Bytes) => Bytes {
  const argument: KeyObject | RsaPublicKey = membersOnKey && readsMembers(key) ? key : { key, ...OPTIONS }
  return (contentKey) => publicEncrypt(argument, contentKey)
}
