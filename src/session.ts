/**
 * `sealwire/session`: sessions, which cost one RSA operation to open and none for a message, and whose messages nobody can
 * open later.
 *
 * @module
 */

export type { Clock } from "./base/clock.ts"
export { type ErrorCode, SealwireError, type SealwireErrorDetails } from "./base/errors.ts"
export type { Backend, MaybePromise, ModulusBits } from "./crypto/backend.ts"
export type { Opened, OpenedReply } from "./envelope/opened.ts"
export type { SealedRequest } from "./envelope/seal.ts"
export type { KnownSigners } from "./envelope/signers.ts"
export type { PrivateKey, PublicKey, SigningKey, VerifyingKey } from "./keys/key.ts"
export type { KeyPair } from "./keys/recipient.ts"
export type { ReplayGuard } from "./replay/guard.ts"
export { createKeyPool, type KeyPool, type KeyPoolOptions } from "./session/key-pool.ts"
export { type InProcessSessionStore, memorySessionStore } from "./session/memory-session-store.ts"
export type { SessionWrap } from "./session/offer.ts"
export {
  openSession,
  type OpenSessionOptions,
  type Session,
  type SessionSealOptions,
  type SessionTransport,
} from "./session/open-session.ts"
export type {
  OfferEntry,
  OpenEntry,
  SessionKeyName,
  SessionLimits,
  SessionStore,
  SessionSummary,
  StoredSession,
} from "./session/session-store.ts"
export {
  createSessions,
  type SessionMessageOptions,
  type SessionReaderOptions,
  type Sessions,
  type SessionsOptions,
} from "./session/sessions.ts"
