/**
 * Operations in Redis or Valkey, shared by every process of a server. docs/protocol.md §8.3. One key for each, which expires by itself.
 *
 * @module
 */

import { decodeBase64url, encodeBase64url } from "#base64url"

import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import type { IdempotencyStore } from "../idempotency/store.ts"
import { withoutSecrets } from "./client-error.ts"
import { type RedisClient, scriptRunner } from "./redis-client.ts"
import { assertPrefix } from "./redis-prefix.ts"
import type { Script } from "./redis-scripts.ts"

/** Options of {@link redisIdempotencyStore}. */
export interface RedisIdempotencyStoreOptions {
  /**
   * Start of every key, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. The same in all processes;
   * may be that of other stores.
   */
  readonly prefix: string
}

/** What is said to the server. KEYS: the operation. */
export const OPERATION_SCRIPTS: Readonly<Record<"begin" | "find" | "finish", Script>> = {
  /** ARGV: content, milliseconds. Gives what is held, or nothing where it is held now. */
  begin: {
    text: `
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
`,
    sha: "848dad00b2bbbcbbad573e6cdc9672ce6449219c",
  },
  find: {
    text: `return redis.call('GET', KEYS[1]) or ''`,
    sha: "96f139f59feec58a76fd4a93e710c804083e12f6",
  },
  /** ARGV: what it was begun with, content. */
  finish: {
    text: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
`,
    sha: "bf0d78adfe7a7fc2be5fbec1db655f27bcc6818f",
  },
}

function unanswered(error: unknown): SealwireError {
  const cause = withoutSecrets(error)
  return /\bOOM\b/.test(cause.message)
    ? new SealwireError("ERR_STORE_FULL", "the idempotency store's server is out of memory", { cause })
    : new SealwireError("ERR_STORE", "the idempotency store could not be asked", { cause })
}

const encode = (content: Uint8Array): string => encodeBase64url(new Uint8Array(content))

/** Clients give text, or bytes where they are set to. */
function decode(reply: unknown): Uint8Array | undefined {
  const text = String(reply)
  if (text === "") return undefined
  const bytes = decodeBase64url(text)
  if (!bytes) throw new SealwireError("ERR_STORE", "the idempotency store gave an answer that is none")
  return bytes
}

/**
 * Operations in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is used. Records come to
 * it encrypted.
 *
 * > [!WARNING]
 * > Redis may lose its last writes in a crash or a failover, and what it has lost is carried out again when it is asked for again. Turn
 * > on persistence (`appendfsync always`) and `min-replicas-to-write`, with `maxmemory-policy noeviction`; or use Postgres where a
 * > second effect costs money.
 *
 * @returns A store that rejects with `ERR_STORE` when the server cannot answer, and with `ERR_STORE_FULL` when it is out of memory.
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { redisIdempotencyStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const store = redisIdempotencyStore(client, { prefix: "orders" })
 * const recordKey = crypto.getRandomValues(new Uint8Array(32)) // from a secret that all servers have
 * const idempotency = { store, recordKeys: [recordKey] } // for createEndpoint of sealwire/server
 * ```
 */
export function redisIdempotencyStore(
  client: RedisClient,
  options: RedisIdempotencyStoreOptions,
): IdempotencyStore {
  assertOptions(options, "options", ["prefix"])
  const { prefix } = options
  assertPrefix(prefix)
  const run = scriptRunner(client)
  const ask = (script: Script, id: string, ...args: string[]): Promise<unknown> =>
    // a hash tag of its own: a Cluster spreads them
    run(script, [`{${prefix}:operation:${id}}`], args).catch((error: unknown) => {
      throw unanswered(error)
    })
  const { begin, find, finish } = OPERATION_SCRIPTS
  return {
    async begin(id, content, keepSeconds) {
      return decode(await ask(begin, id, encode(content), String(Math.ceil(keepSeconds * 1000))))
    },
    async find(id) {
      return decode(await ask(find, id))
    },
    async finish(id, begun, content) {
      return Number(await ask(finish, id, encode(begun), encode(content))) === 1
    },
  }
}
