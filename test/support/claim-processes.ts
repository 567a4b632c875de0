/**
 * Several processes that claim the same ids at the same time, over a store that they share.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

import type { Task } from "./claim-process.ts"

/** Processes that were started together. */
export interface ClaimProcesses {
  /** Has every process admit every id `copies` times, all at once. Gives how often each id was accepted. */
  race(ids: readonly string[], copies: number): Promise<number[]>
  close(): Promise<void>
}

/** A module of this folder as one file that a process can run. */
export async function bundleForProcess(entry: string): Promise<{ readonly path: string; remove(): void }> {
  const directory = mkdtempSync(join(tmpdir(), "sealwire-claims-"))
  const path = join(directory, "claims.mjs")
  await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { "#base64url": resolve("src/base/base64url-node.ts"), "#backend": resolve("src/crypto/node.ts") },
  })
  return {
    path,
    remove() {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Starts `count` processes on a module that calls `serveClaims`. */
export async function startClaimProcesses(
  entry: string,
  count: number,
  args: string[],
): Promise<ClaimProcesses> {
  const bundle = await bundleForProcess(entry)
  const children = await Promise.all(
    Array.from({ length: count }, async () => {
      const child = fork(bundle.path, args)
      await messageOf(child)
      return child
    }),
  )
  return {
    async race(ids, copies) {
      const task: Task = { ids, copies, issuedAtSeconds: Math.floor(Date.now() / 1000) }
      const counts = await Promise.all(children.map((child) => answerOf(child, task)))
      return ids.map((_, i) => counts.reduce((sum, accepted) => sum + (accepted[i] ?? 0), 0))
    },
    async close() {
      await Promise.all(
        children.map((child) => {
          child.disconnect()
          return once(child, "exit")
        }),
      )
      bundle.remove()
    },
  }
}

function answerOf(child: ChildProcess, task: Task): Promise<number[]> {
  child.send(task)
  return messageOf(child) as Promise<number[]>
}

function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null): void => {
      reject(new Error(`a process ended with ${String(code)}`))
    }
    child.once("exit", fail)
    child.once("message", (message) => {
      child.off("exit", fail)
      resolve(message)
    })
  })
}
