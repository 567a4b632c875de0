/**
 * A throwaway Redis Cluster of three primaries on the loopback interface.
 *
 * @module
 */

import { execFileSync } from "node:child_process"

import { type RedisServer, startRedisServer } from "./redis-server.ts"

/** Starts three servers and gives each a third of the slots. */
export async function startRedisCluster(): Promise<readonly RedisServer[]> {
  const start = (): Promise<RedisServer> =>
    startRedisServer("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
  const nodes = await Promise.all([start(), start(), start()])
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  execFileSync("redis-cli", ["--cluster", "create", ...addresses, "--cluster-yes"], { stdio: "ignore" })
  for (const node of nodes) await knowsAll(node)
  return nodes
}

async function knowsAll(node: RedisServer): Promise<void> {
  while (!node.command("CLUSTER", "INFO").includes("cluster_state:ok")) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
