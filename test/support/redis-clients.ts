/**
 * The Redis and Valkey clients that are installed in tools/stores, connected alike.
 *
 * @module
 */

import type { RedisClient } from "../../src/stores/redis.ts"
import { clientLibrary } from "./store-clients.ts"
import { whenGone } from "./when-gone.ts"

/** A connected client and how to let go of it. */
export interface Connected {
  readonly client: RedisClient
  close(): Promise<void>
}

type Connect = (port: number) => Promise<Connected>

interface NodeRedis {
  createClient(options: object): NodeRedisHandle
  createCluster(options: object): NodeRedisHandle
}
interface NodeRedisHandle {
  on(event: "error", listener: () => void): void
  connect(): Promise<unknown>
  destroy(): void
}
interface Ioredis {
  new (options: object): IoredisHandle
  Cluster: new (nodes: object[], options: object) => IoredisHandle
}
interface IoredisHandle {
  on(event: "error", listener: () => void): void
  disconnect(): void
}
interface Glide {
  GlideClient: { createClient(options: object): Promise<{ close(): void }> }
  GlideClusterClient: { createClient(options: object): Promise<{ close(): void }> }
}

const ignore = (): void => undefined
const HOST = "127.0.0.1"

function connectNodeRedis(make: (library: NodeRedis, port: number) => NodeRedisHandle): Connect {
  return async (port) => {
    const client = make(clientLibrary("redis") as NodeRedis, port)
    client.on("error", ignore)
    await client.connect()
    return {
      client: client as unknown as RedisClient,
      close() {
        client.destroy()
        return Promise.resolve()
      },
    }
  }
}

function connectIoredis(make: (port: number) => IoredisHandle): Connect {
  return (port) => {
    const client = make(port)
    client.on("error", ignore)
    return Promise.resolve({
      client: client as unknown as RedisClient,
      close() {
        client.disconnect()
        return Promise.resolve()
      },
    })
  }
}

let isSocketCleared = false

/** The library talks to its own thread by a socket in this folder, and leaves it there. */
function clearGlideSocket(): void {
  if (isSocketCleared) return
  isSocketCleared = true
  whenGone('rm -f "/tmp/glide-socket-$1-"*', String(process.pid))
}

function connectGlide(make: (library: Glide, port: number) => Promise<{ close(): void }>): Connect {
  return async (port) => {
    clearGlideSocket()
    const client = await make(clientLibrary("@valkey/valkey-glide") as Glide, port)
    return {
      client: client as unknown as RedisClient,
      close() {
        client.close()
        return Promise.resolve()
      },
    }
  }
}

const library = (name: string): Ioredis => {
  const loaded = clientLibrary(name) as Ioredis & { default?: Ioredis }
  return loaded.default ?? loaded
}
const socket = { host: HOST, reconnectStrategy: 50 }
const glideOptions = (port: number): object => ({ addresses: [{ host: HOST, port }], requestTimeout: 5000 })

/** By package: how to connect to one server. */
export const REDIS_CLIENTS: Readonly<Record<string, Connect>> = {
  redis: connectNodeRedis(({ createClient }, port) => createClient({ socket: { ...socket, port } })),
  ioredis: connectIoredis(
    (port) =>
      new (library("ioredis"))({
        host: HOST,
        port,
        retryStrategy: () => 50,
        enableReadyCheck: false,
        enableAutoPipelining: true,
      }),
  ),
  iovalkey: connectIoredis(
    (port) =>
      new (library("iovalkey"))({ host: HOST, port, retryStrategy: () => 50, enableReadyCheck: false }),
  ),
  "@valkey/valkey-glide": connectGlide(({ GlideClient }, port) =>
    GlideClient.createClient(glideOptions(port)),
  ),
}

/** By package: how to connect to a Cluster, by one of its nodes. */
export const REDIS_CLUSTER_CLIENTS: Readonly<Record<string, Connect>> = {
  redis: connectNodeRedis(({ createCluster }, port) =>
    createCluster({ rootNodes: [{ socket: { host: HOST, port } }] }),
  ),
  ioredis: connectIoredis((port) => new (library("ioredis").Cluster)([{ host: HOST, port }], {})),
  iovalkey: connectIoredis((port) => new (library("iovalkey").Cluster)([{ host: HOST, port }], {})),
  "@valkey/valkey-glide": connectGlide(({ GlideClusterClient }, port) =>
    GlideClusterClient.createClient(glideOptions(port)),
  ),
}
