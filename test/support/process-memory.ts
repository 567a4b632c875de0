/**
 * The memory of another process, as a thief with its rights sees it: Linux, `/proc/<pid>/maps` and `/proc/<pid>/mem`.
 *
 * @module
 */

import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs"

/** A part of memory that is in use, at its address. */
export interface Region {
  readonly address: number
  readonly bytes: Buffer<ArrayBuffer>
}

/** A process's memory at one moment. */
export type MemoryImage = readonly Region[]

/** What the tests of memory need, where it is missing. */
export const MISSING_MEMORY: string | undefined = existsSync("/proc/self/mem") ? undefined : "/proc/<pid>/mem"

const PAGE_BYTES = 4096
const CHUNK_PAGES = 256

/** Pages that were never written have no frame, and nothing in them: `/proc/<pid>/pagemap` would tell, reading them does as well. */
const NOTHING = Buffer.alloc(PAGE_BYTES)

/** The places that a program writes to: not its code, nor what the kernel put there. */
function writableRanges(pid: number): [from: number, to: number][] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      return from && to ? [[Number.parseInt(from, 16), Number.parseInt(to, 16)] as [number, number]] : []
    })
}

/** Reads what a process has written in its memory. The process should rest meanwhile. */
export function readMemory(pid: number): MemoryImage {
  const file = openSync(`/proc/${pid}/mem`, "r")
  const chunk = Buffer.alloc(CHUNK_PAGES * PAGE_BYTES)
  const image: Region[] = []
  try {
    for (const [from, to] of writableRanges(pid)) {
      const kept: Buffer[] = []
      let start = from
      const flush = (next: number): void => {
        if (kept.length > 0) image.push({ address: start, bytes: Buffer.concat(kept.splice(0)) })
        start = next
      }
      for (let at = from; at < to; at += chunk.length) {
        const length = readAt(file, chunk.subarray(0, Math.min(chunk.length, to - at)), at)
        for (let page = 0; page < length; page += PAGE_BYTES) {
          const bytes = chunk.subarray(page, page + PAGE_BYTES)
          if (bytes.equals(NOTHING)) flush(at + page + PAGE_BYTES)
          else kept.push(Buffer.from(bytes))
        }
        if (length === 0) flush(at + chunk.length)
      }
      flush(to)
    }
    return image
  } finally {
    closeSync(file)
  }
}

/** Guard pages and devices cannot be read. */
function readAt(file: number, into: Buffer, at: number): number {
  try {
    return readSync(file, into, 0, into.length, at)
  } catch {
    return 0
  }
}

/** The addresses at which bytes stand in an image. */
export function findBytes(image: MemoryImage, wanted: Uint8Array): number[] {
  const found: number[] = []
  for (const { address, bytes } of image) {
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) found.push(address + at)
  }
  return found
}
