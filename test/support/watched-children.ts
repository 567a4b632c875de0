/**
 * What processes of tests write: everything on standard error, and on standard output what Node programs do. What another program
 * prints there, such as openssl, is the answer for which a test runs it.
 *
 * @module
 */

import childProcess, { type ChildProcess } from "node:child_process"
import { syncBuiltinESMExports } from "node:module"
import { basename } from "node:path"
import type { Readable } from "node:stream"
import { promisify } from "node:util"

import type { Canaries } from "./canaries.ts"
import { type Tell, MESSAGE } from "./watched-backend.ts"

/** As much as the longest spelling of a canary, so that one that comes in two pieces is found. */
const TAIL_CHARACTERS = 2000

/** By command of this package: what it prints on standard output by design. Never on standard error. */
const MEANT: Readonly<Record<string, readonly string[]>> = {
  open: [MESSAGE],
  "api-keys": ["an API key"],
}
/** The one time that a new key is seen: from here on, it must not show. */
const API_KEY = /_[a-z2-7]{16}_([a-z2-7]{32})\b/g

type Args = readonly unknown[]
type Options = Readonly<Record<string, unknown>>

/** One stream of one process. */
class Output {
  readonly #place: string
  readonly #meant: readonly string[]
  #text = ""
  #isNew = false

  constructor(place: string, meant: readonly string[] = []) {
    this.#place = place
    this.#meant = meant
  }

  add(chunk: unknown): void {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString("latin1")
    this.#text += text
    this.#isNew = true
  }

  search(canaries: Canaries): void {
    if (!this.#isNew) return
    if (this.#meant.includes("an API key")) {
      for (const [, secret = ""] of this.#text.matchAll(API_KEY)) canaries.plantSecret("an API key", secret)
    }
    canaries.search(this.#place, this.#text, this.#meant)
    this.#text = this.#text.slice(-TAIL_CHARACTERS)
    this.#isNew = false
  }
}

interface Outputs {
  readonly stdout: Output | undefined
  readonly stderr: Output
}

/** The options among the arguments of a function of `node:child_process`, where there are any. */
function optionsAt(args: Args): number {
  return Array.isArray(args[1]) ? 2 : 1
}

function optionsOf(args: Args): Options {
  const given = args[optionsAt(args)]
  return typeof given === "object" && given !== null ? (given as Options) : {}
}

function withOptions(args: Args, options: Options): unknown[] {
  const at = optionsAt(args)
  const hasOptions = typeof args[at] !== "function" && at < args.length
  return [...args.slice(0, at), options, ...args.slice(hasOptions ? at + 1 : at)]
}

/** What would go to the streams of this process goes through it. */
function withoutInheriting(options: Options, isFork: boolean): Options {
  const { stdio = isFork && options["silent"] !== true ? "inherit" : "pipe" } = options
  const each = Array.isArray(stdio) ? (stdio as unknown[]) : [stdio, stdio, stdio]
  const piped = each.map((way, fd) => (fd !== 0 && way === "inherit" ? "pipe" : way))
  return { ...options, stdio: isFork && !piped.includes("ipc") ? [...piped, "ipc"] : piped }
}

const inherits = (options: Options, fd: 1 | 2, isFork: boolean): boolean => {
  const { stdio = isFork && options["silent"] !== true ? "inherit" : "pipe" } = options
  return (Array.isArray(stdio) ? (stdio as unknown[])[fd] : stdio) === "inherit"
}

/** Hears what a stream brings, without making it flow. */
function hear(stream: Readable | null, output: Output | undefined): void {
  if (!stream || !output) return
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null) output.add(chunk)
    return push(chunk, encoding)
  }
}

/**
 * Watches all processes that are started from here on.
 *
 * @param readTold - Reads what processes told of their secrets.
 */
export function watchChildren(canaries: Canaries, readTold: (tell: Tell) => void): void {
  const outputs = new Set<Output>()
  const tell: Tell = { secret: canaries.plantSecret, text: canaries.plantText }

  function outputsOf(file: unknown, args: unknown): Outputs {
    const [, command = ""] = Array.isArray(args) ? (args as string[]) : []
    const name = `${basename(String(file))} ${command}`.trim()
    const isNode = String(file) === process.execPath
    const stdout = isNode ? new Output(`stdout of ${name}`, MEANT[command]) : undefined
    const stderr = new Output(`stderr of ${name}`)
    for (const output of [stdout, stderr]) if (output) outputs.add(output)
    return { stdout, stderr }
  }

  canaries.beforeTaking(() => {
    readTold(tell)
    for (const output of outputs) output.search(canaries)
  })

  function watchStarting(name: "spawn" | "fork", isFork: boolean): void {
    const start = childProcess[name] as unknown as (...args: unknown[]) => ChildProcess
    const watched = (...args: unknown[]): ChildProcess => {
      const options = optionsOf(args)
      const child = start(...withOptions(args, withoutInheriting(options, isFork)))
      const { stdout, stderr } = outputsOf(isFork ? process.execPath : args[0], args[1])
      hear(child.stdout, stdout)
      hear(child.stderr, stderr)
      if (inherits(options, 1, isFork)) child.stdout?.pipe(process.stdout, { end: false })
      if (inherits(options, 2, isFork)) child.stderr?.pipe(process.stderr, { end: false })
      return child
    }
    Object.assign(childProcess, { [name]: watched })
  }

  function watchExecFile(): void {
    const start = childProcess.execFile as unknown as (...args: unknown[]) => ChildProcess
    const watched = (...args: unknown[]): ChildProcess => {
      const child = start(...args)
      const { stdout, stderr } = outputsOf(args[0], args[1])
      hear(child.stdout, stdout)
      hear(child.stderr, stderr)
      return child
    }
    Object.defineProperty(watched, promisify.custom, {
      value: (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          watched(...args, (error: Error | null, stdout: unknown, stderr: unknown) => {
            if (error) reject(Object.assign(error, { stdout, stderr }))
            else resolve({ stdout, stderr })
          })
        }),
    })
    Object.assign(childProcess, { execFile: watched })
  }

  function watchSync(name: "spawnSync" | "execFileSync", read: (result: unknown) => Options): void {
    const run = childProcess[name] as unknown as (...args: unknown[]) => unknown
    const watched = (...args: unknown[]): unknown => {
      const { stdout, stderr } = outputsOf(args[0], args[1])
      const hearAll = (result: Options): void => {
        stdout?.add(result["stdout"] ?? "")
        stderr.add(result["stderr"] ?? "")
      }
      try {
        const result = run(...args)
        hearAll(read(result))
        return result
      } catch (error) {
        hearAll(error as Options)
        throw error
      }
    }
    Object.assign(childProcess, { [name]: watched })
  }

  watchStarting("spawn", false)
  watchStarting("fork", true)
  watchExecFile()
  watchSync("spawnSync", (result) => result as Options)
  watchSync("execFileSync", (stdout) => ({ stdout }))
  syncBuiltinESMExports()
}
