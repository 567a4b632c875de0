/**
 * When a crew of workers is worth having, and what they run. Measured: bench/README.md.
 *
 * @module
 */

import { availableParallelism } from "node:os"

/** Two threads take about as long to start as they save a file of that size. */
export const LEAST_CREW_BYTES: number = 128 * 1024 * 1024

/** Each takes 14 to 18 MiB, and a file of any size is to take less than 64. */
const MOST_WORKERS = 3

/**
 * How many workers this process may have, for all its files together. None where an engine cannot give memory back at once
 * (`ArrayBuffer.prototype.transfer`, Node 21): what waits for the garbage collection in each thread costs more than the thread
 * gains. None on Bun, whose threads cost more.
 */
export function mostWorkers(): number {
  if (process.versions["bun"] !== undefined || !("transfer" in ArrayBuffer.prototype)) return 0
  return Math.min(MOST_WORKERS, availableParallelism())
}

/**
 * The built file of segment-worker.ts, beside which this is built.
 *
 * @throws `TypeError` where this was made part of something that has no such place.
 */
export function workerScript(): URL {
  return new URL("./stream/segment-worker.js", import.meta.url)
}
