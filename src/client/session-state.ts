/**
 * An open session as the pages of one origin share it, in IndexedDB. The secret is an HMAC key that no script can export; nonces
 * come from fresh seeds, so pages that use one session at a time need not agree about anything.
 *
 * @module
 */

import { get, update } from "idb-keyval"

import type { CryptoKeyLike } from "../crypto/backend.ts"
import type { SessionWrap } from "../session/offer.ts"
import { databaseOf } from "./database.ts"

/** What is kept of a session. */
export interface SessionState {
  readonly id: string
  readonly wrap: SessionWrap
  /** The members of the session's RSA key, for mode `each`. */
  readonly jwk: { readonly kty: string; readonly [member: string]: string }
  /** Thumbprint of the identity that offered it: it must still be pinned. */
  readonly identity: string
  readonly secret: CryptoKeyLike
  /** Unix milliseconds, by the clock of this machine. */
  readonly expiresAtMs: number
  readonly idleSeconds: number
  readonly usedAtMs: number
}

/** Keeps the session of a client between pages. What cannot be done is left undone, without an error. */
export interface SessionStates {
  load(): Promise<SessionState | undefined>
  /**
   * Keeps a session in the place of the one called `former`, unless another page was faster.
   *
   * @returns What is kept now; undefined where nothing can be.
   */
  save(state: SessionState, former: string | undefined): Promise<SessionState | undefined>
  /** Notes a use, unless another session has taken its place. */
  touch(id: string, usedAtMs: number): Promise<void>
  /** Forgets a session, unless another has taken its place. */
  remove(id: string): Promise<void>
}

/** States in IndexedDB, under a name. */
export function sharedStates(name: string): SessionStates {
  const database = databaseOf("sealwire-sessions", "sessions")
  const change = (id: string, to: (state: SessionState) => SessionState | undefined): Promise<void> =>
    database((use) =>
      update<SessionState | undefined>(name, (state) => (state?.id === id ? to(state) : state), use),
    )
  return {
    load: () => database((use) => get<SessionState>(name, use)),
    save: (state, former) =>
      database(async (use) => {
        let kept = state
        await update<SessionState>(name, (held) => (kept = held && held.id !== former ? held : state), use)
        return kept
      }),
    touch: (id, usedAtMs) =>
      change(id, (state) => ({ ...state, usedAtMs: Math.max(state.usedAtMs, usedAtMs) })),
    remove: (id) => change(id, () => undefined),
  }
}
