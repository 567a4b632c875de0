/**
 * Throwaway Postgres servers: on a free loopback port, in a directory of their own.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"

import { freePort } from "./loopback.ts"

/** A running server. */
export interface PostgresServer {
  readonly port: number
  /** Runs SQL by `psql`, and gives what it prints. */
  sql(text: string): string
  /** Kills it without a word. */
  kill(): Promise<void>
  /** Starts it on the same files again. */
  start(): Promise<void>
  /** Stops the clockwork: connections stay open, nothing is answered. */
  pause(): void
  resume(): void
  /** Starts a standby that follows it. */
  startReplica(): Promise<PostgresServer>
  /** Makes a standby a primary. */
  promote(): void
  /** Kills it for good and clears up. */
  close(): Promise<void>
}

const USER = "test"
const NOBODY = 65_534
/** Postgres refuses to be run by root. */
const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

function binaryFolder(): string | undefined {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).map((name) => join(debian, name, "bin")) : []
  const folders = [...versions.sort().reverse(), ...(process.env["PATH"] ?? "").split(delimiter)]
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")))
}
const binaries = binaryFolder()

/** Whether this machine has a Postgres server. */
export const hasPostgresServer: boolean = binaries !== undefined

function run(name: string, args: string[], cwd: string): string {
  return execFileSync(join(binaries ?? "", name), args, { ...asNobody, cwd, encoding: "utf8", stdio: "pipe" })
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sealwire-postgres-"))
  if (asNobody.uid !== undefined) chownSync(directory, NOBODY, NOBODY)
  return directory
}

/** Starts a new, empty server. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const directory = newDirectory()
  const data = join(directory, "data")
  const fixed = ["-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"]
  run("initdb", ["-D", data, "-U", USER, ...fixed], directory)
  return startOn(directory)
}

async function startOn(directory: string): Promise<PostgresServer> {
  const port = await freePort()
  const data = join(directory, "data")
  let child: ChildProcess | undefined

  const client = (name: string, args: string[]): string =>
    run(name, ["-h", "127.0.0.1", "-p", String(port), "-U", USER, ...args], directory)

  async function kill(): Promise<void> {
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, "exit")
    signalAll(child, "SIGKILL")
    await exited
  }
  async function start(): Promise<void> {
    const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: directory, fsync: "off" }
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const args = ["-D", data, "-p", String(port), ...options]
    child = spawn(join(binaries ?? "", "postgres"), args, { ...asNobody, cwd: directory, stdio: "ignore" })
    await accepts(port, () => client("psql", ["-d", "postgres", "-c", "SELECT 1"]))
  }

  await start()
  return {
    port,
    sql: (text) => client("psql", ["-d", "postgres", "-X", "-q", "-A", "-t", "-c", text]).trim(),
    kill,
    start,
    pause() {
      signalAll(child, "SIGSTOP")
    },
    resume() {
      signalAll(child, "SIGCONT")
    },
    startReplica() {
      const other = newDirectory()
      client("pg_basebackup", ["-D", join(other, "data"), "-R", "-c", "fast", "--no-sync"])
      return startOn(other)
    },
    promote() {
      run("pg_ctl", ["promote", "-w", "-D", data], directory)
    },
    async close() {
      await kill()
      rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    },
  }
}

/** The server, and its process for each connection. */
function signalAll(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return
  const listed = execFileSync("ps", ["-e", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
  const pairs = listed.map((line) => line.trim().split(/\s+/).map(Number))
  const own = pairs.filter(([, parent]) => parent === child.pid).map(([pid]) => pid ?? 0)
  for (const pid of [child.pid, ...own]) {
    try {
      process.kill(pid, signal)
    } catch {
      // it has ended already
    }
  }
}

const ATTEMPTS = 300

async function accepts(port: number, ask: () => unknown): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await listens(port)) {
      try {
        ask()
        return
      } catch {
        // it listens before it lets anyone in
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no Postgres server on port ${port}`)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("connect", () => {
      end(true)
    })
    socket.once("error", () => {
      end(false)
    })
  })
}
