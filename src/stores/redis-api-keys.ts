/**
 * API keys in Redis or Valkey, shared by every process of a server.
 *
 * @module
 */

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { assertOptions } from "../base/options.ts"
import type { RedisClient } from "./redis-client.ts"
import { assertPrefix } from "./redis-prefix.ts"
import { type Kept, redisRecords } from "./redis-records.ts"

/** Options of {@link redisApiKeyStore}. */
export interface RedisApiKeyStoreOptions {
  /**
   * Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. May be that of the
   * replay store.
   */
  readonly prefix: string
}

const readRecord = ({ fixed, endsAtMs, lastUsedAtMs }: Kept): ApiKeyRecord => ({
  ...(fixed as Omit<ApiKeyRecord, "endsAtMs" | "lastUsedAtMs">),
  endsAtMs,
  lastUsedAtMs,
})

/**
 * API keys in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is used.
 *
 * > [!WARNING]
 * > Redis may lose its last writes in a crash or a failover: a key that was made is gone, and one that was revoked works again.
 * > Turn on persistence (`appendfsync always`) and `min-replicas-to-write`, or use Postgres or SQLite. An evicting
 * > `maxmemory-policy` may drop all keys at once.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the server cannot answer.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { createApiKeys } from "sealwire/api-keys"
 * import { redisApiKeyStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const apiKeys = createApiKeys({ store: redisApiKeyStore(client, { prefix: "orders" }) })
 * ```
 */
export function redisApiKeyStore(client: RedisClient, options: RedisApiKeyStoreOptions): ApiKeyStore {
  assertOptions(options, "options", ["prefix"])
  assertPrefix(options.prefix)
  const name = { prefix: options.prefix, kind: "api-keys", store: "API key store" }
  const records = redisRecords(client, name, readRecord)
  return {
    ...records,
    add({ endsAtMs, lastUsedAtMs, ...fixed }) {
      return records.add(fixed.id, { fixed, endsAtMs, lastUsedAtMs })
    },
  }
}
