/**
 * API keys in Redis or Valkey, shared by every process of a server. One hash for the records, one for their ends, one for their
 * last uses, all in one slot of a Cluster; each method is one script.
 *
 * @module
 */

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import { withoutSecrets } from "./client-error.ts"
import { type RedisClient, scriptRunner } from "./redis-client.ts"
import { assertPrefix } from "./redis-prefix.ts"
import type { Script } from "./redis-scripts.ts"

/** Options of {@link redisApiKeyStore}. */
export interface RedisApiKeyStoreOptions {
  /**
   * Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. May be that of the
   * replay store.
   */
  readonly prefix: string
}

/** What is said to the server. KEYS: records, ends, uses. */
export const API_KEY_SCRIPTS: Readonly<Record<"add" | "find" | "list" | "end" | "touch", Script>> = {
  /** ARGV: id, record, end, last use; the last two may be empty. */
  add: {
    text: `
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[1], ARGV[4]) end
return 1
`,
    sha: "e0ecc1d23a77473c2beef22fd38f47b9053f8c88",
  },
  /** ARGV: id. */
  find: {
    text: `
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return {} end
return {record, redis.call('HGET', KEYS[2], ARGV[1]) or '', redis.call('HGET', KEYS[3], ARGV[1]) or ''}
`,
    sha: "8a8bce881cd4837b94a50af9d4410d1378fa2bf3",
  },
  /** Gives record, end and last use of all, one after the other. */
  list: {
    text: `
local all = {}
local records = redis.call('HGETALL', KEYS[1])
for at = 1, #records, 2 do
  all[#all + 1] = records[at + 1]
  all[#all + 1] = redis.call('HGET', KEYS[2], records[at]) or ''
  all[#all + 1] = redis.call('HGET', KEYS[3], records[at]) or ''
end
return all
`,
    sha: "0829839f21e00abcab8dd34334f318d6353f63d8",
  },
  /** ARGV: id, end. */
  end: {
    text: `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return '' end
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held and tonumber(held) <= tonumber(ARGV[2]) then return held end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return ARGV[2]
`,
    sha: "778a7b81437b32543392b58ea67b38c2de20e876",
  },
  /** ARGV: id, use. */
  touch: {
    text: `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local held = redis.call('HGET', KEYS[3], ARGV[1])
if held and tonumber(held) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1
`,
    sha: "fec06263d015e09ea0b843dd60eb972c556d0753",
  },
}

const readMoment = (text: string | undefined): number | undefined => (text ? Number(text) : undefined)

/** Clients give text, or bytes where they are set to. */
const texts = (reply: unknown): string[] => (Array.isArray(reply) ? reply.map(String) : [])

function readRecord([record = "", end, use]: readonly string[]): ApiKeyRecord {
  const fixed = JSON.parse(record) as Omit<ApiKeyRecord, "endsAtMs" | "lastUsedAtMs">
  return { ...fixed, endsAtMs: readMoment(end), lastUsedAtMs: readMoment(use) }
}

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
  const run = scriptRunner(client)
  const start = `{${options.prefix}:api-keys}:`
  const keys = ["records", "ends", "uses"].map((name) => start + name)
  const ask = async (script: Script, ...args: string[]): Promise<unknown> => {
    try {
      return await run(script, keys, args)
    } catch (error) {
      throw new SealwireError("ERR_STORE", "the API key store could not be asked", {
        cause: withoutSecrets(error),
      })
    }
  }
  const { add, find, list, end, touch } = API_KEY_SCRIPTS
  return {
    async add({ endsAtMs = "", lastUsedAtMs = "", ...record }) {
      const times = [String(endsAtMs), String(lastUsedAtMs)]
      return Number(await ask(add, record.id, JSON.stringify(record), ...times)) === 1
    },
    async find(id) {
      const found = texts(await ask(find, id))
      return found.length === 0 ? undefined : readRecord(found)
    },
    async list(principal) {
      const all = texts(await ask(list))
      const records = Array.from({ length: all.length / 3 }, (_, n) =>
        readRecord(all.slice(3 * n, 3 * n + 3)),
      )
      return records.filter((record) => principal === undefined || record.principal === principal)
    },
    async end(id, endsAtMs) {
      return readMoment(String(await ask(end, id, String(endsAtMs))))
    },
    async touch(id, usedAtMs) {
      await ask(touch, id, String(usedAtMs))
    },
  }
}
