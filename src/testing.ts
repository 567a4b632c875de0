/**
 * `sealwire/testing`: contract suites for authors of stores, backends and adapters, for any test runner, and a clock that a test sets.
 *
 * @module
 */

import { backend } from "#backend"

import type { Backend } from "./crypto/backend.ts"

export type { ApiKeyRecord, ApiKeyStore } from "./api-keys/record.ts"
export type { Clock } from "./base/clock.ts"
export type { Bytes } from "./base/bytes.ts"
export { apiKeyStoreContract, type ApiKeyStoreContractOptions } from "./contracts/api-key-store.ts"
export { adapterContract } from "./contracts/adapter.ts"
export type {
  AdapterApp,
  AdapterContractOptions,
  AdapterRequest,
  AdapterResponse,
  PlatformFetch,
  RunningAdapter,
} from "./contracts/adapter-wire.ts"
export type { ContractCase } from "./contracts/assert.ts"
export { type BackendCapability, backendContract, type BackendContractOptions } from "./contracts/backend.ts"
export {
  idempotencyStoreContract,
  type IdempotencyStoreContractOptions,
} from "./contracts/idempotency-store.ts"
export { keyRingStoreContract, type KeyRingStoreContractOptions } from "./contracts/key-ring-store.ts"
export { replayStoreContract, type ReplayStoreContractOptions } from "./contracts/replay-store.ts"
export { sessionStoreContract, type SessionStoreContractOptions } from "./contracts/session-store.ts"
export {
  signingKeyStoreContract,
  type SigningKeyStoreContractOptions,
} from "./contracts/signing-key-store.ts"
export { createTestClock, type TestClock } from "./contracts/test-clock.ts"
export type { Backend, Jwk, MaybePromise } from "./crypto/backend.ts"
export type { IdempotencyStore } from "./idempotency/store.ts"
export type { KeyRingStore, KeyRingText, StoredText } from "./key-ring/store.ts"
export type { ReplayGuard } from "./replay/guard.ts"
export type { ReplayStore } from "./replay/store.ts"
export type {
  OfferEntry,
  OpenEntry,
  SessionKeyName,
  SessionLimits,
  SessionStore,
  SessionSummary,
  StoredSession,
} from "./session/session-store.ts"
export type { SigningKeyRecord, SigningKeyStore } from "./signing-keys/record.ts"

/** The backend of this platform: what keys use unless they are given another. */
export const platformBackend: Backend = backend
