/**
 * A crew: worker threads that seal or open one file together, from one descriptor to another, while the event loop is free.
 * Whether it worked is known by what each reports, and only all of the file counts.
 *
 * @module
 */

import { createSecretKey, type KeyObject } from "node:crypto"
import { Worker } from "node:worker_threads"

import type { Bytes } from "../base/bytes.ts"
import type { BodyKeys } from "./body-keys.ts"
import { bodyFailed } from "./chunk-cipher.ts"
import { LEAST_CREW_BYTES, mostWorkers, workerScript } from "./crew-terms.ts"
import type { AbortSignalLike } from "./platform.ts"
import { stopOnAbort } from "./readable.ts"
import { countSegments } from "./segments.ts"

/** An open file, and where its plaintext or its first chunk begins. */
export interface Place {
  readonly fd: number
  readonly start: number
}

/** What each worker is told. */
export interface Job {
  readonly work: "seal" | "open"
  readonly input: Place
  readonly output: Place
  readonly plaintextBytes: number
  /** No bytes, which an inspector would show. */
  readonly key: KeyObject
  readonly baseNonce: Bytes
  /** How many segments were taken, shared by all. */
  readonly taken: Int32Array<SharedArrayBuffer>
}

/** What a worker says: that it was loaded; what it has done since it last said so, in plaintext; that it cannot go on. */
export type Report =
  | { readonly type: "begun" }
  | { readonly type: "done"; readonly segments: number; readonly bytes: number }
  | { readonly type: "failed"; readonly message: string; readonly details: object }

/** What is to be done. The descriptors stay open, and nobody else writes, until it is. */
export interface CrewWork extends Pick<Job, "work" | "input" | "output" | "plaintextBytes"> {
  readonly keys: BodyKeys
  readonly onProgress: ((plaintextBytes: number) => void) | undefined
  readonly signal: AbortSignalLike | undefined
}

/** What arrays of 16 KiB leave behind in a thread is little, unless its young generation may grow to hold more of it. */
const WORKER_OPTIONS = {
  resourceLimits: { maxYoungGenerationSizeMb: 2 },
  // what an application loads into its own threads is not for these
  env: {},
  execArgv: [],
}

/** Of all crews: each worker takes a core. */
let workersNow = 0
/** Whether workers can be had, until it has turned out that they cannot. */
let canWork = true

/** The error that a worker has met, as this thread would have. */
function errorOf({ message, details }: Extract<Report, { type: "failed" }>): Error {
  if ("code" in details && details.code === "ERR_OPEN_FAILED") return bodyFailed()
  return Object.assign(new Error(message), details)
}

/** One run of a crew. */
class Crew {
  readonly #segments: number
  readonly #onProgress: CrewWork["onProgress"]
  readonly #workers: Worker[] = []
  #hasBegun = false
  #done = 0
  #doneBytes = 0
  #failed: { readonly reason: unknown } | undefined

  constructor({ plaintextBytes, onProgress }: CrewWork) {
    this.#segments = countSegments(plaintextBytes)
    this.#onProgress = onProgress
  }

  /** Ends all workers. The first reason is the one that is told. */
  readonly stop = async (reason: unknown): Promise<void> => {
    this.#failed ??= { reason }
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #fail(reason: unknown): void {
    this.stop(reason).catch(() => undefined)
  }

  #hear(said: Report): void {
    if (this.#failed) return
    if (said.type === "begun") this.#hasBegun = true
    else if (said.type === "failed") this.#fail(errorOf(said))
    else {
      this.#done += said.segments
      this.#doneBytes += said.bytes
      try {
        this.#onProgress?.(this.#doneBytes)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  /** Starts a worker, and waits for its end. One that cannot be loaded is missed by nobody: the others do its part. */
  #employ(job: Job): Promise<void> {
    return new Promise((resolve) => {
      const worker = new Worker(workerScript(), { ...WORKER_OPTIONS, workerData: job })
      let hasBegun = false
      this.#workers.push(worker)
      worker.on("message", (said: Report) => {
        hasBegun = true
        this.#hear(said)
      })
      worker.on("error", (error) => {
        if (hasBegun) this.#fail(error)
      })
      worker.on("exit", () => {
        resolve()
      })
    })
  }

  /** Gives whether the work was done; it was not begun otherwise. */
  async run(job: Job, size: number): Promise<boolean> {
    const ends: Promise<void>[] = []
    for (let i = 0; i < size && !this.#failed; i++) {
      // no place for the script, or no permission for threads
      ends.push(this.#employ(job).catch(() => undefined))
    }
    await Promise.all(ends)
    if (this.#failed) throw this.#failed.reason
    if (this.#done < this.#segments && this.#hasBegun) throw new Error("a worker ended before its work did")
    canWork = this.#hasBegun
    return this.#hasBegun
  }
}

/**
 * Has several cores do it, where there are several that are free, and it is enough for them.
 *
 * @returns Whether it was done. Otherwise nothing was.
 * @throws As one thread would; the error of a thread that ended early, such as from want of memory.
 */
export async function workTogether(work: CrewWork): Promise<boolean> {
  const { keys, onProgress: _, signal, ...places } = work
  const free = mostWorkers() - workersNow
  if (!canWork || free < 2 || work.plaintextBytes < LEAST_CREW_BYTES) return false
  const size = Math.min(free, countSegments(work.plaintextBytes))
  const crew = new Crew(work)
  const unwatch = stopOnAbort(crew, signal)
  workersNow += size
  try {
    const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const { baseNonce } = keys
    return await crew.run({ ...places, key: createSecretKey(keys.key), baseNonce, taken }, size)
  } finally {
    workersNow -= size
    unwatch()
  }
}
