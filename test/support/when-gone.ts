/**
 * Clears up after this process, however it ends: by itself, by Ctrl-C, by `kill -9`.
 *
 * @module
 */

import { spawn } from "node:child_process"
import { once } from "node:events"
import type { Writable } from "node:stream"

/** What is still to be cleared up. */
export interface Clearing {
  /** Clears up now, and waits for it. */
  now(): Promise<void>
}

/** Has a shell wait for this process to be gone, and run a script then; `args` are its `$1` and so on. */
export function whenGone(script: string, ...args: string[]): Clearing {
  // nothing is ever written: the pipe ends when this process does. Detached, since Ctrl-C must not reach the shell
  const shell = spawn("sh", ["-c", `cat; ${script}`, "sh", ...args], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  })
  const ended = once(shell, "close")
  shell.unref()
  // Bun's has no such method
  const input = shell.stdin as Writable & { unref?(): void }
  input.unref?.()
  return {
    async now() {
      shell.ref()
      input.end()
      await ended
    },
  }
}
