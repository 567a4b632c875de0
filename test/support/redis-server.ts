/**
 * Throwaway Redis servers: on a free loopback port, in a directory of their own, with nothing kept on disk.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { freePort } from "./loopback.ts"
import { whenGone } from "./when-gone.ts"

/** A running server. */
export interface RedisServer {
  readonly port: number
  /** Runs one command by `redis-cli`. */
  command(...words: string[]): string
  /** Kills it without a word; what it held is gone. */
  kill(): Promise<void>
  /** Starts it on the same port again. */
  start(): Promise<void>
  /** Stops the clockwork: connections stay open, nothing is answered. */
  pause(): void
  resume(): void
  /** Kills it for good and clears up. */
  close(): Promise<void>
}

const BINARY = "redis-server"

/** Whether this machine has a Redis server. */
export function hasRedisServer(): boolean {
  try {
    execFileSync(BINARY, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Kills the server of a directory, if it runs, and removes it. */
const CLEAR = `
pid=$(cat "$1/pid")
case $(ps -o comm= -p "$pid") in *redis-server) kill -KILL "$pid" ;; esac
rm -rf "$1"`

/** Starts a server; `settings` are more of its options, such as `"--maxmemory-policy", "allkeys-lru"`. */
export async function startRedisServer(...settings: string[]): Promise<RedisServer> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), "sealwire-redis-"))
  const clearing = whenGone(CLEAR, directory)
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    const quick = ["--repl-diskless-sync-delay", "0"]
    const place = ["--dir", directory, "--pidfile", join(directory, "pid")]
    child = spawn(BINARY, [...fixed, ...quick, ...place, ...settings], { stdio: "ignore" })
    await accepts(port)
  }

  async function kill(): Promise<void> {
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    child.kill("SIGKILL")
    await exited
  }

  await start()
  return {
    port,
    command: (...words) =>
      execFileSync("redis-cli", ["-p", String(port), ...words], { encoding: "utf8" }).trim(),
    kill,
    start,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    async close() {
      await kill()
      await clearing.now()
    },
  }
}

const BACKDATE = `
for _, key in ipairs(redis.call('KEYS', '*:marker')) do
  redis.call('SET', key, (redis.call('GET', key):gsub('%d+$', function(since) return since - 600000 end)))
end
return redis.call('DBSIZE')`

/** Makes a store's markers ten minutes older, so that nothing is quarantined. For handles made afterwards. */
export function backdate(server: RedisServer): void {
  if (server.command("EVAL", BACKDATE, "0") === "0") throw new Error("there are no markers to backdate")
}

const ATTEMPTS = 200

async function accepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const reply = await ping(port)
    if (reply.startsWith("+PONG")) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`no Redis server on port ${port}`)
}

function ping(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    const end = (answer: string): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("data", (bytes) => {
      end(bytes.toString())
    })
    socket.once("error", () => {
      end("")
    })
  })
}
