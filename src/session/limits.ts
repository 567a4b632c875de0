/**
 * The times of sessions: what docs/protocol.md §6 fixes, and what both ends accept.
 *
 * @module
 */

/** An offer that is not opened within this time of its `iat` is dropped with its key. Fixed by the protocol. */
export const OFFER_SECONDS = 60

/** Longest life of a session, in seconds: a week. A client refuses to be offered more. */
export const MAX_LIFETIME_SECONDS: number = 7 * 86_400

/** A client whose clock is wrong must get as far as an authentic answer with the server's time (§3.4 step 5). */
export const DAY_SECONDS = 86_400
