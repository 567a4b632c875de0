/**
 * Programs that serve: started as processes of their own, known to be ready by what they print, and ended as a user ends them.
 *
 * @module
 */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** A program that is ready. */
export interface Started {
  /** What it printed until then, by lines. */
  readonly lines: readonly string[]
  /** Asks it to end, and gives its exit code. */
  end(): Promise<number | null>
}

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Starts a program, and waits until it has printed so many lines. */
export async function startProgram(command: readonly string[], lineCount: number): Promise<Started> {
  const [program = "", ...args] = command
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
  const exited = once(child, "exit") as Promise<[number | null]>
  let [out, err] = ["", ""]
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString()
  })
  const ready = new Promise<void>((resolve, reject) => {
    child.once("error", reject)
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString()
      if (out.split("\n").length > lineCount) resolve()
    })
    exited.then(
      ([code]) => reject(new Error(`${command.join(" ")} ended with ${String(code)}: ${err}`)),
      reject,
    )
  })
  await ready
  return {
    lines: out.split("\n").slice(0, lineCount),
    async end() {
      child.kill("SIGTERM")
      const [code] = await exited
      return code
    },
  }
}
