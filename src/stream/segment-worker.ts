/**
 * What each worker of a crew does: takes the next segment that nobody has taken, reads it, seals or opens its chunks, and writes
 * them to their place, until there is none left. A file of its own in the package, which crew.ts starts as a thread.
 *
 * @module
 */

import { readSync, writeSync, writevSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"

import { backend } from "#backend"

import type { Bytes } from "../base/bytes.ts"
import { type Batch, bodyFailed, type ChunkCipher, createChunkCipher, releaseBatch } from "./chunk-cipher.ts"
import type { Job, Report } from "./crew.ts"
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from "./layout.ts"
import { countSegments, cutChunks, segmentAt } from "./segments.ts"

/** A report takes both threads some 15 µs. */
const REPORT_SEGMENTS = 8

function report(said: Report): void {
  parentPort?.postMessage(said)
}

/** Fills a buffer from a file; gives how much there was. */
function readAll(fd: number, buffer: Bytes, position: number): number {
  let filled = 0
  while (filled < buffer.length) {
    const bytesRead = readSync(fd, buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

/** Writes a batch in one call of the system, as far as that goes: it may take less, such as when a disk is nearly full. */
function writeAll(fd: number, batch: Batch, position: number): void {
  let written = writevSync(fd, batch, position)
  let end = 0
  for (const part of batch) {
    end += part.length
    while (written < end) {
      written += writeSync(fd, part, part.length - (end - written), end - written, position + written)
    }
  }
  releaseBatch(batch)
}

function shortened(): Error {
  return Object.assign(new Error("EIO: the file became shorter while it was sealed"), { code: "EIO" })
}

/** Does one segment; gives how much plaintext that was. */
async function doSegment(job: Job, cipher: ChunkCipher, index: number, buffer: Bytes): Promise<number> {
  const { work, input, output } = job
  const { firstChunk, chunks, plain, sealed } = segmentAt(index, job.plaintextBytes)
  const isSealing = work === "seal"
  const [from, to] = isSealing ? [plain, sealed] : [sealed, plain]
  const bytes = buffer.subarray(0, from.bytes)
  if (readAll(input.fd, bytes, input.start + from.start) < from.bytes) {
    throw isSealing ? shortened() : bodyFailed()
  }
  const cut = cutChunks(bytes, chunks, isSealing ? CHUNK_BYTES : SEALED_CHUNK_BYTES)
  writeAll(output.fd, await cipher[work](firstChunk, cut), output.start + to.start)
  return plain.bytes
}

async function work(job: Job): Promise<void> {
  const key = job.key.export()
  const cipher = await createChunkCipher(backend, { key, baseNonce: job.baseNonce })
  key.fill(0)
  const segments = countSegments(job.plaintextBytes)
  const buffer = new Uint8Array(segmentAt(0, job.plaintextBytes).sealed.bytes)
  const take = (): number => Atomics.add(job.taken, 0, 1)
  let done = { segments: 0, bytes: 0 }
  for (let index = take(); index < segments; index = take()) {
    const bytes = await doSegment(job, cipher, index, buffer)
    done = { segments: done.segments + 1, bytes: done.bytes + bytes }
    if (done.segments < REPORT_SEGMENTS) continue
    report({ type: "done", ...done })
    done = { segments: 0, bytes: 0 }
  }
  if (done.segments > 0) report({ type: "done", ...done })
}

report({ type: "begun" })
try {
  await work(workerData as Job)
} catch (error) {
  const failure = error as Error
  // a clone of an error keeps its words alone
  report({ type: "failed", message: failure.message, details: Object.assign({}, failure) })
}
