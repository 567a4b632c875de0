/**
 * Several server processes that share sessions through a store, and how a test talks to one of them.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

import { bundleForProcess } from "./claim-processes.ts"
import type { Answer, Question } from "./session-process.ts"

/** A server process. */
export interface SessionProcess {
  ask(question: Question): Promise<string>
  /** Kills it without a word. */
  kill(): Promise<void>
}

/** Starts `count` processes on a module that calls `serveSessions`. */
export async function startSessionProcesses(
  entry: string,
  count: number,
  args: string[],
): Promise<{ readonly processes: readonly SessionProcess[]; close(): Promise<void> }> {
  const bundle = await bundleForProcess(entry)
  const children = Array.from({ length: count }, () => fork(bundle.path, args))
  const processes = await Promise.all(children.map(started))
  return {
    processes,
    async close() {
      await Promise.all(processes.map((each) => each.kill()))
      bundle.remove()
    },
  }
}

async function started(child: ChildProcess): Promise<SessionProcess> {
  const waiting = new Map<number, (answer: Answer) => void>()
  let count = 0
  await once(child, "message")
  child.on("message", (answer: Answer) => {
    waiting.get(answer.number)?.(answer)
    waiting.delete(answer.number)
  })
  child.on("exit", () => {
    for (const settle of waiting.values()) settle({ number: 0, code: "ERR_DEAD" })
    waiting.clear()
  })
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (!child.connected) {
          reject(new Error("ERR_DEAD"))
          return
        }
        const number = ++count
        waiting.set(number, ({ text, code }) => {
          if (text === undefined) reject(new Error(code))
          else resolve(text)
        })
        child.send({ ...question, number })
      }),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill("SIGKILL")
      await once(child, "exit")
    },
  }
}
