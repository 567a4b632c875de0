/**
 * A key ring in Redis or Valkey: a hash for each of its texts, changed by compare-and-set in one script.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { KeyRingStore, KeyRingText } from "../key-ring/store.ts"
import { withoutSecrets } from "./client-error.ts"
import { type RedisClient, scriptRunner } from "./redis-client.ts"
import type { Script } from "./redis-scripts.ts"

/** Options of {@link redisKeyRingStore}. */
export interface RedisKeyRingStoreOptions {
  /** Name of the ring, such as `"orders"`: 1 to 64 printable ASCII characters without spaces and braces. */
  readonly prefix: string
  /**
   * Says that the server keeps its data on a disk, for a service that hides how. Default `false`. A server that shows that it writes
   * no append-only file is refused all the same.
   */
  readonly persistenceVerified?: boolean
}

/** KEYS: the hash. ARGV: nothing to read it, or the version and the text to save. Gives what is there, or a verdict. */
const KEY_RING: Script = {
  text: `
local call = redis.call
local function shown(section, name)
  return (call('INFO', section) or ''):match(name .. ':([%w-]+)') or 'hidden'
end
local found = tonumber(call('HGET', KEYS[1], 'version') or '0')
if #ARGV == 0 then return {'found', found, call('HGET', KEYS[1], 'text') or ''} end
local persistence, policy = shown('persistence', 'aof_enabled'), shown('memory', 'maxmemory_policy')
if persistence ~= '1' and not (persistence == 'hidden' and ARGV[3] == '1') then return {'forgets', 0, persistence} end
if policy:sub(1, 7) == 'allkeys' then return {'evicts', 0, policy} end
if found ~= ARGV[1] - 1 then return {'overtaken', found, ''} end
call('HSET', KEYS[1], 'version', ARGV[1], 'text', ARGV[2])
return {'saved', ARGV[1], ''}
`,
  sha: "c39f81d12b958dacb395fe511b3821abd0dc87db",
}

/** By what the script answered instead of saving. */
const REFUSALS: Readonly<Partial<Record<string, string>>> = Object.freeze({
  forgets:
    "would be lost with the server's memory: set appendonly yes and appendfsync always, or persistenceVerified where a service hides it",
  evicts: "would be evicted when memory is full: set maxmemory-policy to noeviction, or a volatile one",
})

const failed = (reason: string, cause?: Error): SealwireError =>
  new SealwireError("ERR_STORE", `the key ring ${reason}`, cause && { cause })

/**
 * A key ring in Redis (7 or later) or Valkey, by a client that the caller has connected. Does no I/O before it is used.
 *
 * > [!WARNING]
 * > A ring that is lost is keys that are lost. Set `appendonly yes` and `appendfsync always`, and make backups of the ring. Redis
 * > replicates asynchronously: a promoted replica may lack the last change. Servers that have seen it refuse to go back, and go on
 * > with what they know. Postgres or a folder promises more.
 *
 * @throws `TypeError` for a client or an option that is none.
 * @example
 * ```ts
 * import { createClient } from "redis"
 * import { openKeyRing } from "sealwire/key-ring"
 * import { redisKeyRingStore } from "sealwire/stores/redis"
 *
 * const client = await createClient({ url: "redis://127.0.0.1" }).connect()
 * const store = redisKeyRingStore(client, { prefix: "orders" })
 * const ring = await openKeyRing({ store, protection: { passphrase: "correct horse battery staple" }, create: true })
 * ```
 */
export function redisKeyRingStore(client: RedisClient, options: RedisKeyRingStoreOptions): KeyRingStore {
  assertOptions(options, "options", ["prefix", "persistenceVerified"])
  const { prefix, persistenceVerified = false } = options
  if (typeof prefix !== "string" || !/^[\x21-\x7a\x7c\x7e]{1,64}$/.test(prefix)) {
    throw new TypeError(
      `options.prefix must be 1 to 64 printable ASCII characters without spaces and braces, not ${describe(prefix)}`,
    )
  }
  if (typeof persistenceVerified !== "boolean") {
    throw new TypeError(`options.persistenceVerified must be a boolean, not ${describe(persistenceVerified)}`)
  }
  const run = scriptRunner(client)

  async function ask(name: KeyRingText, args: string[]): Promise<readonly string[]> {
    try {
      const reply = await run(KEY_RING, [`{${prefix}:key-ring}:${name}`], args)
      return Array.isArray(reply) ? reply.map(String) : []
    } catch (error) {
      throw failed("could not be asked for in Redis", withoutSecrets(error))
    }
  }
  return {
    async load(name) {
      const [verdict, version, text = ""] = await ask(name, [])
      if (verdict !== "found") throw failed("was answered for by something else than its script")
      return Number(version) === 0 ? undefined : { version: Number(version), text }
    },
    async save(name, text, version) {
      const [verdict = "", , detail = ""] = await ask(name, [
        String(version),
        text,
        persistenceVerified ? "1" : "0",
      ])
      if (verdict === "saved" || verdict === "overtaken") return verdict === "saved"
      throw failed(`${REFUSALS[verdict] ?? "was answered for by something else than its script"} (${detail})`)
    },
  }
}
