/**
 * The user's own Redis or Valkey client, told by what it can do, never by its class: of each, the one thing needed here.
 * Cluster clients route by the first key.
 *
 * @module
 */

import { describe } from "../base/text.ts"
import type { Script } from "./redis-scripts.ts"

/** node-redis, a client, pool, sentinel or cluster of it. */
export interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** ioredis or iovalkey, a client or cluster. */
export interface IoredisClient {
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
}

/** Valkey GLIDE, a client or cluster client. */
export interface GlideClient {
  customCommand(command: string[]): Promise<unknown>
}

/** A connected client of one of the known kinds. */
export type RedisClient = NodeRedisClient | IoredisClient | GlideClient

/** Runs a script on the server that holds `keys`. */
export type RunScript = (script: Script, keys: string[], args: string[]) => Promise<unknown>

/** One way to name a script to the server: by its hash, or in full. */
type Command = (how: "EVALSHA" | "EVAL", script: string, keys: string[], args: string[]) => Promise<unknown>

function commandOf(client: RedisClient): Command {
  if (has(client, "evalSha", "eval")) {
    const redis = client as NodeRedisClient
    return (how, script, keys, args) =>
      how === "EVALSHA"
        ? redis.evalSha(script, { keys, arguments: args })
        : redis.eval(script, { keys, arguments: args })
  }
  if (has(client, "evalsha", "eval")) {
    const redis = client as IoredisClient
    return (how, script, keys, args) =>
      how === "EVALSHA"
        ? redis.evalsha(script, keys.length, ...keys, ...args)
        : redis.eval(script, keys.length, ...keys, ...args)
  }
  if (has(client, "customCommand")) {
    const glide = client as GlideClient
    return (how, script, keys, args) =>
      glide.customCommand([how, script, String(keys.length), ...keys, ...args])
  }
  throw new TypeError(
    `client must be a client of node-redis, ioredis, iovalkey or Valkey GLIDE, not ${describe(client)}`,
  )
}

function has(client: unknown, ...methods: string[]): boolean {
  const members = (client ?? {}) as Readonly<Record<string, unknown>>
  return methods.every((method) => typeof members[method] === "function")
}

/** The server's own words, or GLIDE's. */
const NOT_LOADED = /^NOSCRIPT|NoScript/

/**
 * Reduces a client to running scripts.
 *
 * @throws `TypeError` when it has none of the methods that this needs.
 */
export function scriptRunner(client: RedisClient): RunScript {
  const command = commandOf(client)
  return async ({ sha, text }, keys, args) => {
    try {
      return await command("EVALSHA", sha, keys, args)
    } catch (error) {
      if (!(error instanceof Error && NOT_LOADED.test(error.message))) throw error
      return command("EVAL", text, keys, args)
    }
  }
}
