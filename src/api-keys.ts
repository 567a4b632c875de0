/**
 * `sealwire/api-keys`: API keys of which a server keeps only hashes. `sealwire/server` takes them as `authenticate.apiKeys`.
 *
 * @module
 */

export {
  type ApiKeyFailure,
  type ApiKeys,
  type ApiKeySummary,
  type ApiKeyVerdict,
  createApiKeys,
} from "./api-keys/api-keys.ts"
export { CreatedApiKey } from "./api-keys/created-key.ts"
export { memoryApiKeyStore, type MemoryApiKeyStoreOptions } from "./api-keys/memory-store.ts"
export type { ApiKeysOptions, CreateApiKeyOptions, RotateApiKeyOptions } from "./api-keys/options.ts"
export type { ApiKeyRecord, ApiKeyStore } from "./api-keys/record.ts"
export type { Clock } from "./base/clock.ts"
export type { ErrorCode } from "./base/errors.ts"
export type { MaybePromise } from "./crypto/backend.ts"
