/**
 * Several processes that claim the same ids at the same time, over a store that they share.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

import { seal } from "../../src/envelope/seal.ts"
import { exportPem } from "../../src/keys/export.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import type { Task } from "./claim-process.ts"

/** Processes that were started together. */
export interface ClaimProcesses {
  /** Has the guard of every process admit each of `count` ids `copies` times, all at once. Gives how often each was accepted. */
  raceIds(count: number, copies: number): Promise<number[]>
  /** The same with envelopes that are opened. */
  raceEnvelopes(count: number, copies: number): Promise<number[]>
  close(): Promise<void>
}

/** A module of this folder as one file that a process can run. The backend tells its secrets to the watch, unless another is named. */
export async function bundleForProcess(
  entry: string,
  backend = "test/support/watched-node.ts",
): Promise<{ readonly path: string; remove(): void }> {
  const directory = mkdtempSync(join(tmpdir(), "sealwire-claims-"))
  const path = join(directory, "claims.mjs")
  await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { "#base64url": resolve("src/base/base64url-node.ts"), "#backend": resolve(backend) },
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
  async function race(task: Omit<Task, "issuedAtSeconds">): Promise<number[]> {
    const issuedAtSeconds = Math.floor(Date.now() / 1000)
    const counts = await Promise.all(children.map((child) => answerOf(child, { ...task, issuedAtSeconds })))
    return task.items.map((_, i) => counts.reduce((sum, accepted) => sum + (accepted[i] ?? 0), 0))
  }
  return {
    raceIds(count, copies) {
      return race({
        items: Array.from({ length: count }, () => randomBytes(32).toString("base64url")),
        copies,
      })
    },
    async raceEnvelopes(count, copies) {
      const { publicKey, privateKey } = await generateKeyPair({ extractable: true })
      const items = await Promise.all(Array.from({ length: count }, () => seal("once", { to: publicKey })))
      return race({ items, copies, privateKey: await exportPem(privateKey) })
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
