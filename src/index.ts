/**
 * `sealwire`: seal a message to a recipient, open it once, answer it.
 *
 * @module
 */

export type { Bytes } from "./base/bytes.ts"
export type { Clock } from "./base/clock.ts"
export { type ErrorCode, SealwireError, type SealwireErrorDetails } from "./base/errors.ts"
export { open, type OpenOptions } from "./envelope/open.ts"
export type { Opened, OpenedReply } from "./envelope/opened.ts"
export { seal, type SealedRequest, type SealOptions, sealRequest } from "./envelope/seal.ts"
export type { KnownSigners } from "./envelope/signers.ts"
export {
  generateKeyPair,
  type GenerateKeyPairOptions,
  importPrivateKey,
  importPublicKey,
  type KeyPair,
  type UnwrapHook,
} from "./keys/recipient.ts"
export type { PrivateKey, PublicKey, SigningKey, VerifyingKey } from "./keys/key.ts"
export {
  createReplayGuard,
  dangerouslyAcceptReplays,
  type ReplayEvent,
  type ReplayGuard,
  type ReplayGuardOptions,
} from "./replay/guard.ts"
export { memoryStore, type MemoryStoreOptions } from "./replay/memory-store.ts"
export type { ReplayStore } from "./replay/store.ts"
