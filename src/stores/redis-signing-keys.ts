/**
 * The signing keys of clients in Redis or Valkey, shared by every process of a server.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
import type { RedisClient } from "./redis-client.ts"
import { assertPrefix } from "./redis-prefix.ts"
import { type Kept, redisRecords } from "./redis-records.ts"

/** Options of {@link redisSigningKeyStore}. */
export interface RedisSigningKeyStoreOptions {
  /**
   * Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. May be that of other
   * stores.
   */
  readonly prefix: string
}

const readRecord = ({ fixed, endsAtMs }: Kept): SigningKeyRecord => ({
  ...(fixed as Omit<SigningKeyRecord, "endsAtMs">),
  endsAtMs,
})

/**
 * The signing keys of clients in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is
 * used.
 *
 * > [!WARNING]
 * > Redis may lose its last writes in a crash or a failover: a key that was enrolled is gone, one that was revoked works again, and
 * > another principal may enrol one that was lost. Turn on persistence (`appendfsync always`) and `min-replicas-to-write`, or use
 * > Postgres or SQLite. An evicting `maxmemory-policy` may drop all keys at once. Whoever can write to the server can enrol.
 *
 * @returns A store whose methods reject with `ERR_STORE` when the server cannot answer.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { redisSigningKeyStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const store = redisSigningKeyStore(client, { prefix: "orders" }) // for createSigningKeys of sealwire/server
 * ```
 */
export function redisSigningKeyStore(
  client: RedisClient,
  options: RedisSigningKeyStoreOptions,
): SigningKeyStore {
  assertOptions(options, "options", ["prefix"])
  assertPrefix(options.prefix)
  const name = { prefix: options.prefix, kind: "signing-keys", store: "store of signing keys" }
  const records = redisRecords(client, name, readRecord)
  return {
    add({ endsAtMs, ...fixed }) {
      return records.add(fixed.kid, { fixed, endsAtMs, lastUsedAtMs: undefined })
    },
    find: (kid) => records.find(kid),
    list: (principal) => records.list(principal),
    end: (kid, endsAtMs) => records.end(kid, endsAtMs),
  }
}
