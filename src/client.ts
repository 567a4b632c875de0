/**
 * `sealwire/client`: a `fetch` whose requests and answers are sealed, for any library that takes a `fetch`.
 *
 * @module
 */

export { type ErrorCode, SealwireError, type SealwireErrorDetails } from "./base/errors.ts"
export { type Client, createClient } from "./client/client.ts"
export type {
  AnswerEvent,
  AttemptEvent,
  ClientEvent,
  DirectoryEvent,
  DirectoryFailureEvent,
  FailureEvent,
  ProgressEvent,
  RetryEvent,
  SessionEvent,
  TimeOffsetEvent,
} from "./client/events.ts"
export { proveSigningKey, type ProveSigningKeyOptions } from "./client/prove-signing-key.ts"
export type { ClientOptions, RetryOptions } from "./client/options.ts"
export type { RetryReason } from "./client/retry.ts"
export type { SeqStore } from "./client/seq-store.ts"
export type { SigningKeyProof } from "./http/enrolment.ts"
export type { PartedRequest, SealedFields } from "./http/parted-request.ts"
export type { PublicKey, SigningKey } from "./keys/key.ts"
