/** Redis, for what several processes must share; this one dies with the example. */

import { randomBytes } from "node:crypto"

import { createClient } from "redis"

import { freePort, startServer } from "./programs.js"

const HOST = "127.0.0.1"

/** Evicts nothing: an id that is forgotten could count twice. Keeps a file, for the API keys. */
const configOf = (/** @type {{ port: number, password: string, folder: string }} */ options) => `
bind ${HOST}
port ${options.port}
requirepass ${options.password}
dir ${options.folder}
appendonly yes
save ""
maxmemory 64mb
maxmemory-policy noeviction
`

/**
 * @param {string} folder
 * @param {(error: unknown) => void} onError
 */
export async function startRedis(folder, onError) {
  const port = await freePort()
  const password = randomBytes(24).toString("hex")
  const end = await startServer("redis-server", ["-"], { port, input: configOf({ port, password, folder }) })
  // while it is away, what needs it fails at once instead of waiting in a queue
  const redis = createClient({ socket: { host: HOST, port }, password, disableOfflineQueue: true })
  redis.on("error", onError)
  await redis.connect()
  const close = async () => {
    redis.destroy()
    await end()
  }
  return { redis, close }
}

/** @typedef {Awaited<ReturnType<typeof startRedis>>["redis"]} Redis */
