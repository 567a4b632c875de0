/**
 * Enrolling a client's signing key: what both ends say of it. docs/guides/authentication.md.
 *
 * The proof of possession is an ordinary envelope, signed with the key (docs/protocol.md §3.3), whose context names the server
 * and the principal. So nobody can enrol a key that he does not have, and nobody can enrol another's proof as his own.
 *
 * @module
 */

import type { Jwk } from "../crypto/backend.ts"

/** What a client sends to have its signing key enrolled, as JSON. */
export interface SigningKeyProof {
  /** The public key. */
  readonly jwk: Jwk
  /** An envelope without a message, signed with the key. */
  readonly proof: string
}

/** The context of a proof. Neither an origin nor a principal has a NUL. */
export const enrolmentContext = (origin: string, principal: string): string =>
  `signing key\0${origin}\0${principal}`
