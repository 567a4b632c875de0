/**
 * Throwaway Postgres servers: on a free loopback port, in a directory of their own.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"

import { freePort } from "./loopback.ts"
import { type Clearing, whenGone } from "./when-gone.ts"

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
  /** Ends it for good, and clears up. */
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

/**
 * Ends the server of a directory, if it runs, and removes it. One that ends by itself gives its shared memory back, also in haste, by
 * SIGQUIT. One that was killed does not, and may be a zombie for a while: line 7 of the file that it left has the key and the id of its
 * segment of System V.
 */
const CLEAR = `
file=$1/data/postmaster.pid
pid=$(head -n 1 "$file")
case $(ps -o stat=,comm= -p "$pid") in
Z*) ;;
*postgres)
  kill -CONT "$pid"
  kill -QUIT "$pid"
  for _ in $(seq 400); do [ -e "$file" ] || break; sleep 0.05; done ;;
esac
[ -e "$file" ] && ipcrm -m "$(sed -n '7s/.* //p' "$file")"
rm -rf "$1"`

interface Place {
  readonly directory: string
  readonly clearing: Clearing
}

function newPlace(): Place {
  const directory = mkdtempSync(join(tmpdir(), "sealwire-postgres-"))
  if (asNobody.uid !== undefined) chownSync(directory, NOBODY, NOBODY)
  return { directory, clearing: whenGone(CLEAR, directory) }
}

/** Starts a new, empty server. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const place = newPlace()
  const data = join(place.directory, "data")
  const fixed = ["-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"]
  run("initdb", ["-D", data, "-U", USER, ...fixed], place.directory)
  return startOn(place)
}

/** The dynamic shared memory lies in the data directory: what is in /dev/shm outlives a server that is killed, as tests do. */
const SETTINGS = { listen_addresses: "127.0.0.1", fsync: "off", dynamic_shared_memory_type: "mmap" }

async function startOn({ directory, clearing }: Place): Promise<PostgresServer> {
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
    const settings = { ...SETTINGS, unix_socket_directories: directory }
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
      const other = newPlace()
      client("pg_basebackup", ["-D", join(other.directory, "data"), "-R", "-c", "fast", "--no-sync"])
      return startOn(other)
    },
    promote() {
      run("pg_ctl", ["promote", "-w", "-D", data], directory)
    },
    async close() {
      signalAll(child, "SIGCONT")
      await clearing.now()
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
