/** The machine's programs that the server stands on: found before anything starts, and ended with it. */

import { execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect, createServer } from "node:net"
import { promisify } from "node:util"

/** By name: the Debian package that brings it. */
const PACKAGES = { nginx: "nginx", "redis-server": "redis-server", openssl: "openssl" }
/** Debian has nginx where only root looks. */
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` }

const ATTEMPTS = 400
const PAUSE_MS = 25

/** @typedef {keyof typeof PACKAGES} Program */

/** Says what is missing, and how Debian names it. */
export function assertInstalled() {
  const missing = Object.entries(PACKAGES).filter(([program]) => spawnSync(program, ["-v"], { env }).error)
  if (missing.length === 0) return
  const [programs, packages] = [0, 1].map((at) => missing.map((each) => each[at]))
  throw new Error(
    `not installed here: ${programs?.join(", ")}. On Debian: apt-get install ${packages?.join(" ")}`,
  )
}

/**
 * Runs a program to its end.
 *
 * @param {Program} program
 * @param {string[]} args
 */
export async function run(program, args) {
  await promisify(execFile)(program, args, { env })
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
  server.close()
  await once(server, "close")
  return port
}

/** @param {number} port */
const accepts = (port) =>
  new Promise((/** @type {(value: boolean) => void} */ resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/**
 * Starts a server, and waits until it listens.
 *
 * @param {Program} program
 * @param {string[]} args
 * @param {{ port: number, input?: string, endSignal?: NodeJS.Signals }} options `input` is what it reads: secrets do not belong on a command line.
 * @returns {Promise<() => Promise<void>>} Ends it.
 */
export async function startServer(program, args, { port, input = "", endSignal = "SIGTERM" }) {
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (/** @type {Buffer} */ chunk) => {
      said = (said + chunk.toString()).slice(-2000)
    })
  }
  const exited = once(child, "exit")
  exited.catch(() => undefined)
  // one that has ended does not read
  child.stdin.on("error", () => undefined)
  child.stdin.end(input)
  const kill = () => void child.kill("SIGKILL")
  process.once("exit", kill)
  const end = async () => {
    child.kill(endSignal)
    await exited
    process.off("exit", kill)
  }
  for (let attempt = 0; attempt < ATTEMPTS && child.exitCode === null; attempt++) {
    if (await accepts(port)) return end
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  if (child.exitCode === null) await end()
  throw new Error(`${program} does not listen on port ${port}: ${said.trim()}`)
}
