/**
 * Who a request is by: an API key, a signing key, or whatever a hook makes of a token.
 *
 * @module
 */

import type { ApiKeyFailure, ApiKeys } from "../api-keys/api-keys.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import type { VerifyingKey } from "../keys/key.ts"
import type { Level } from "./routes.ts"

/** Who a request is proven to be by. */
export interface Principal {
  /** The same for all credentials of one principal. */
  readonly id: string
  /** What proved it. */
  readonly kind: "api-key" | "signing-key" | "token"
  /** What it may do. */
  readonly scopes: readonly string[]
}

/** A signing key that has been enrolled and not revoked. */
export interface EnrolledSigner {
  readonly key: VerifyingKey
  readonly principal: string
  readonly scopes: readonly string[]
}

/** What an {@link AuthenticateToken} learns about a request besides the request itself. */
export interface AuthenticationDetails {
  readonly level: Level
  /** Whether the request came sealed. What came open can be read by whoever ends TLS. */
  readonly sealed: boolean
  readonly requestId: string
  /** Thumbprint of the key that signed the request, or that opened its session; undefined for nobody. */
  readonly signer: string | undefined
  readonly session: string | undefined
}

/**
 * Finds out whom a token stands for; the request is without its body.
 *
 * Called for each request that brings no API key, unless an enrolled key has signed it and there is no `authorization`. What
 * it throws refuses the request as `undefined` does, save a `SealwireError` `ERR_KEY_UNAVAILABLE`: the answer is 503 then.
 */
export type AuthenticateToken = (
  request: Request,
  details: AuthenticationDetails,
) => MaybePromise<Omit<Principal, "kind"> | undefined>

/** How requests are authenticated. With any of these, routes of level `high` demand a principal. */
export interface AuthenticateOptions {
  /** API keys, sent inside the message as `authorization: Bearer <key>`. Handlers do not see that header. Default: none. */
  readonly apiKeys?: Pick<ApiKeys, "prefix" | "verify">
  /** The signing keys of clients; their signatures are known, besides those of `knownSigners`. Default: none. */
  readonly signingKeys?: { readonly find: (kid: string) => MaybePromise<EnrolledSigner | undefined> }
  /** What makes a principal of any other credential, such as a JWT. Default: none, and a credential of another kind is refused. */
  readonly token?: AuthenticateToken
}

/** Why a request has no principal, or not one that may. Told to the operator, never to the peer. */
export type AuthenticationFailure =
  /** A principal is demanded, and there is no credential. */
  | "missing"
  /** Of the API key; `malformed` also for a credential of another kind that no hook takes. */
  | ApiKeyFailure
  /** An API key stands in the query, where logs keep it: revoke it. */
  | "in-query"
  /** The hook did not know the token, or threw. */
  | "token"
  /** The signer is known, but not enrolled, or no longer. */
  | "signer"
  /** Two credentials stand for two principals. */
  | "ambiguous"
  /** The route demands a scope that the principal does not have. */
  | "scope"
