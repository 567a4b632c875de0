/**
 * Records that end, in Redis or Valkey: API keys and the signing keys of clients. One hash for the records, one for their ends, one
 * for their last uses, all in one slot of a Cluster; each method is one script.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { withoutSecrets } from "./client-error.ts"
import { type RedisClient, scriptRunner } from "./redis-client.ts"
import type { Script } from "./redis-scripts.ts"

/** A record as it is kept. */
export interface Kept {
  /** What never changes. */
  readonly fixed: object
  readonly endsAtMs: number | undefined
  readonly lastUsedAtMs: number | undefined
}

/** Which records, and what their store is called in errors. */
export interface RecordsName {
  readonly prefix: string
  /** Such as `"api-keys"`. */
  readonly kind: string
  readonly store: string
}

/** The records of one store. */
export interface RedisRecords<Held> {
  /** `false` where there is one with this id, which stays as it is. */
  add(id: string, record: Kept): Promise<boolean>
  find(id: string): Promise<Held | undefined>
  list(principal?: string): Promise<Held[]>
  /** Gives the end from now on, which is never later than before; undefined where there is no such record. */
  end(id: string, endsAtMs: number): Promise<number | undefined>
  touch(id: string, usedAtMs: number): Promise<void>
}

/** What is said to the server. KEYS: records, ends, uses. */
export const RECORD_SCRIPTS: Readonly<Record<"add" | "find" | "list" | "end" | "touch", Script>> = {
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

const readKept = ([fixed = "", end, use]: readonly string[]): Kept => ({
  fixed: JSON.parse(fixed) as object,
  endsAtMs: readMoment(end),
  lastUsedAtMs: readMoment(use),
})

/**
 * The records under a name.
 *
 * @param read - Gives a record as the store's users know it.
 * @throws `TypeError` for a client that is none.
 */
export function redisRecords<Held extends { readonly principal: string }>(
  client: RedisClient,
  { prefix, kind, store }: RecordsName,
  read: (kept: Kept) => Held,
): RedisRecords<Held> {
  const run = scriptRunner(client)
  const keys = ["records", "ends", "uses"].map((name) => `{${prefix}:${kind}}:${name}`)
  const ask = async (script: Script, ...args: string[]): Promise<unknown> => {
    try {
      return await run(script, keys, args)
    } catch (error) {
      throw new SealwireError("ERR_STORE", `the ${store} could not be asked`, {
        cause: withoutSecrets(error),
      })
    }
  }
  const { add, find, list, end, touch } = RECORD_SCRIPTS
  return {
    async add(id, { fixed, endsAtMs = "", lastUsedAtMs = "" }) {
      return Number(await ask(add, id, JSON.stringify(fixed), String(endsAtMs), String(lastUsedAtMs))) === 1
    },
    async find(id) {
      const found = texts(await ask(find, id))
      return found.length === 0 ? undefined : read(readKept(found))
    },
    async list(principal) {
      const all = texts(await ask(list))
      const each = Array.from({ length: all.length / 3 }, (_, n) =>
        read(readKept(all.slice(3 * n, 3 * n + 3))),
      )
      return each.filter((record) => principal === undefined || record.principal === principal)
    },
    async end(id, endsAtMs) {
      return readMoment(String(await ask(end, id, String(endsAtMs))))
    },
    async touch(id, usedAtMs) {
      await ask(touch, id, String(usedAtMs))
    },
  }
}
