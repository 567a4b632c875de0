/**
 * `sealwire/server`: the server's end of sealed HTTP, over Web-standard requests and responses.
 *
 * @module
 */

export type { ApiKeyFailure, ApiKeys, ApiKeySummary, ApiKeyVerdict } from "./api-keys/api-keys.ts"
export type { ErrorCode } from "./base/errors.ts"
export type { MaybePromise } from "./crypto/backend.ts"
export type { KnownSigners } from "./envelope/signers.ts"
export type { FieldPolicies } from "./fields/field-policies.ts"
export type { Policy } from "./fields/policy.ts"
export type { HeaderMap } from "./http/header-map.ts"
export type { OuterResponse } from "./http/outer-response.ts"
export type { ProblemName, RefusalStatus } from "./http/problem.ts"
export { memoryIdempotencyStore, type MemoryIdempotencyStoreOptions } from "./idempotency/memory-store.ts"
export type { IdempotencyStore } from "./idempotency/store.ts"
export type { PrivateKey, SigningKey, VerifyingKey } from "./keys/key.ts"
export type { ReadableKeyRing } from "./keys/ring.ts"
export type { ReplayGuard } from "./replay/guard.ts"
export { createEndpoint, type Endpoint } from "./server/endpoint.ts"
export type {
  AuthenticateOptions,
  AuthenticateToken,
  AuthenticationDetails,
  AuthenticationFailure,
  EnrolledSigner,
  Principal,
} from "./server/principal.ts"
export {
  createSigningKeys,
  type EnrolOptions,
  type SigningKeys,
  type SigningKeysOptions,
} from "./server/signing-keys.ts"
export type { EdgeOptions } from "./server/edge.ts"
export type { Circumstances, EndpointEvent, Happening, OnEndpointEvent } from "./server/events.ts"
export type { Handler, RequestDetails } from "./server/exchange.ts"
export type { DirectoryOptions } from "./server/key-directory.ts"
export type {
  CreateLimiterOptions,
  LimitedAs,
  Limiter,
  LimiterState,
  LimitsOptions,
  PerMinute,
} from "./server/limits.ts"
export type { IdempotencyOptions } from "./server/operation.ts"
export type { EndpointOptions } from "./server/options.ts"
export type { OuterRequest } from "./server/outer-request.ts"
export type { Level, RouteOptions, Routes } from "./server/routes.ts"
export type { OriginsOptions } from "./server/origins.ts"
export {
  type BufferedRequest,
  type InputIssue,
  type InputSchema,
  type JsonInput,
  readJson,
  type ReadJsonOptions,
  type SchemaIssue,
  type SchemaResult,
} from "./server/read-json.ts"
export type { RefusalReason } from "./server/refusal-error.ts"
export type { SecurityHeaders } from "./server/security-headers.ts"
export type { Peer } from "./server/source.ts"
export type { WindowOptions } from "./server/window-limiter.ts"
export { memorySigningKeyStore } from "./signing-keys/memory-store.ts"
export type { SigningKeyRecord, SigningKeyStore } from "./signing-keys/record.ts"
