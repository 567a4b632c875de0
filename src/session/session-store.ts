/**
 * Session stores: offers and open sessions by their ids. docs/protocol.md §6. What a record means is not the store's business,
 * nor is the time: the caller brings its own.
 *
 * @module
 */

import type { MaybePromise } from "../crypto/backend.ts"

/** The name of a session's RSA key. */
export interface SessionKeyName {
  /** Its thumbprint, 43 characters. */
  readonly id: string
  /** Unix milliseconds: kept until then, even when the session has ended, so that its messages are told so. */
  readonly endsAtMs: number
}

/** An offer, to be kept until it is opened or has run out. */
export interface OfferEntry<Content> {
  readonly content: Content
  /** The session's RSA key, where messages name it instead of the session (mode `each`). */
  readonly key: SessionKeyName | undefined
  /** Unix milliseconds: gone from then on. */
  readonly endsAtMs: number
}

/** A session that has been opened. */
export interface OpenEntry<Content> {
  readonly content: Content
  /** Thumbprint of who opened it; undefined for nobody in particular. */
  readonly principal: string | undefined
  /** Unix milliseconds. */
  readonly openedAtMs: number
  /** Unix milliseconds: gone from then on, unless a message moves it. */
  readonly endsAtMs: number
}

/** An offer or a session that lives. */
export interface StoredSession<Content> {
  readonly state: "offered" | "open"
  readonly content: Content
  readonly endsAtMs: number
}

/** What a list says of an open session. */
export interface SessionSummary {
  /** 22 characters. */
  readonly id: string
  /** Thumbprint of who opened it; undefined for nobody in particular. */
  readonly principal: string | undefined
  /** Unix milliseconds. */
  readonly openedAtMs: number
  /** Unix milliseconds: when it ends, unless a message comes. */
  readonly endsAtMs: number
}

/** How many a store may hold. */
export interface SessionLimits {
  /** Offers and sessions together. */
  readonly maxSessions: number
  readonly maxPendingOffers: number
}

/**
 * Keeps offers and sessions. Implement this to use another database.
 *
 * Each method is atomic across all processes that share the store, and takes one round trip. `nowMs` is the caller's time in
 * Unix milliseconds: what has ended by it is as good as gone. Whatever a method throws refuses the message that it was for, and so
 * does an answer of another kind, or one that takes longer than two seconds.
 */
export interface SessionStore<Content = Uint8Array> {
  /** Contents stay in this process as they are. Absent: they leave it, and are encrypted before. */
  readonly inProcess?: true
  /**
   * Adds an offer, once for each session.
   *
   * @throws `SealwireError` `ERR_STORE_FULL` at one of the limits. What lives is never evicted.
   */
  add(id: string, offer: OfferEntry<Content>, limits: SessionLimits, nowMs: number): MaybePromise<void>
  /**
   * Replaces an offer by its session, and overwrites the offer's content.
   *
   * @returns Whether it did: `true` for exactly one call with an id, ever; `false` where there is no offer that lives.
   */
  open(id: string, session: OpenEntry<Content>, nowMs: number): MaybePromise<boolean>
  /** Finds an offer or a session. Called once for each message. */
  find(id: string, nowMs: number): MaybePromise<StoredSession<Content> | undefined>
  /** The id of the session with that RSA key, which may have ended; `keyId` is a thumbprint. Called once for each message in mode `each`. */
  idOfKey(keyId: string, nowMs: number): MaybePromise<string | undefined>
  /**
   * Moves the end of an open session, never to an earlier time.
   *
   * @returns `false` where there is no such session, or it has ended: nothing brings it back.
   */
  touch(id: string, endsAtMs: number, nowMs: number): MaybePromise<boolean>
  /** Ends an offer or a session; tells whether there was one. */
  end(id: string): MaybePromise<boolean>
  /** Ends all sessions of a principal; tells how many. */
  endAll(principal: string): MaybePromise<number>
  /**
   * Removes what has ended, in the background. Called now and then, while there may be something.
   *
   * @returns Whether anything may be left, to come back for.
   */
  sweep(nowMs: number): MaybePromise<boolean>
  /** The open sessions, or those of one principal. */
  list(principal: string | undefined, nowMs: number): MaybePromise<SessionSummary[]>
}
