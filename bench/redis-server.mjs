/**
 * A `redis-server` of a benchmark's own: on a free loopback port, with nothing written to disk.
 *
 * @module
 */

import { spawn } from "node:child_process"
import { createServer } from "node:net"

import { onExit } from "../tools/temporary-folder.js"

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

/** Starts one in `directory`; `child` is the caller's to end, and ends with this process. */
export async function startRedisServer(directory) {
  const port = await freePort()
  const network = ["--port", port, "--bind", "127.0.0.1"]
  const memory = ["--save", "", "--appendonly", "no", "--dir", directory]
  const child = spawn("redis-server", [...network, ...memory].map(String), {
    stdio: ["ignore", "pipe", "inherit"],
  })
  onExit(() => child.kill("SIGKILL"))
  await new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("redis-server ended")))
    child.stdout.on("data", (text) => String(text).includes("Ready to accept") && resolve())
  })
  return { port, child }
}
