/**
 * A process that starts throwaway servers, and tells where.
 *
 * @module
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"

import { startPostgresServer } from "./postgres-server.ts"
import { startRedisServer } from "./redis-server.ts"

const [postgres, redis] = await Promise.all([startPostgresServer(), startRedisServer()])
const [, redisFolder = ""] = redis.command("CONFIG", "GET", "dir").split("\n")
const [, redisPid] = /process_id:(\d+)/.exec(redis.command("INFO", "server")) ?? []
const postgresFolder = postgres.sql("SHOW data_directory")
const [postgresPid] = readFileSync(join(postgresFolder, "postmaster.pid"), "utf8").split("\n")
process.send?.({ folders: [postgresFolder, redisFolder], pids: [postgresPid, redisPid].map(Number) })
