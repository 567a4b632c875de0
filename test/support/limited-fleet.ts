/**
 * Server processes that count in one Redis, and how a test asks them: each request goes to the next of them, as behind a balancer.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

import { bundleForProcess } from "./claim-processes.ts"
import type { LimitedAnswer, LimitedTask } from "./limited-process.ts"

/** How the processes are. */
export interface FleetState {
  /** How many have a connection to Redis. */
  readonly connected: number
  /** How often a shared limiter failed, as far as it was told one by one. */
  readonly failures: number
}

/** A fleet. */
export interface LimitedFleet {
  /** Sends to the next process, as a proxy that was asked by `source`. */
  send(source: string, url: string, init?: RequestInit): Promise<Response>
  state(): Promise<FleetState>
  close(): Promise<void>
}

async function answerOf(child: ChildProcess): Promise<LimitedAnswer> {
  const [answer] = (await once(child, "message")) as [LimitedAnswer]
  return answer
}

async function portOf(child: ChildProcess): Promise<number> {
  const answer = await answerOf(child)
  if ("port" in answer) return answer.port
  throw new Error("the process told something else than its port")
}

/** Starts `count` processes. */
export async function startLimitedFleet(task: LimitedTask, count: number): Promise<LimitedFleet> {
  const bundle = await bundleForProcess("limited-process.ts")
  const children = Array.from({ length: count }, () => fork(bundle.path, [JSON.stringify(task)]))
  const ports = await Promise.all(children.map(portOf))
  let sent = 0
  return {
    send(source, url, init = {}) {
      const target = new URL(url)
      const headers = new Headers(init.headers)
      headers.set("x-forwarded-for", source)
      headers.set("x-forwarded-proto", "https")
      const origin = `http://127.0.0.1:${ports[sent++ % count] ?? 0}`
      return fetch(origin + target.pathname, { ...init, headers })
    },
    async state() {
      const answers = await Promise.all(
        children.map((child) => {
          const answer = answerOf(child)
          child.send("state")
          return answer
        }),
      )
      const states = answers.filter((answer) => "isConnected" in answer)
      return {
        connected: states.filter(({ isConnected }) => isConnected).length,
        failures: states.reduce((sum, { failures }) => sum + failures, 0),
      }
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
