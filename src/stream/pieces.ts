/**
 * Bytes from any source, piece by piece, until the end or until somebody stops it.
 *
 * @module
 */

import { type Bytes, isBytes } from "../base/bytes.ts"
import { describe } from "../base/text.ts"
import { readBlob } from "./blob-pieces.ts"
import type { ByteSource } from "./platform.ts"

/** Reads a source. One reader of it; one call at a time. */
export interface PieceReader {
  /**
   * A piece that is not empty, good until the next one is asked for; undefined at the end.
   *
   * @throws What the source throws, and the reason of {@link PieceReader.stop}.
   */
  read(): Promise<Bytes | undefined>
  /** Tells the source that nobody reads on. A read that waits rejects with `reason`, as does every later one. */
  stop(reason: unknown): Promise<void>
}

interface Pulled {
  readonly done?: boolean | undefined
  readonly value?: unknown
}

interface Pull {
  next(): Promise<Pulled>
  cancel(reason: unknown): Promise<void>
}

function pullFrom(source: ByteSource): Pull {
  const given: unknown = source
  if (typeof given !== "object" || given === null) throw wrongSource(given)
  if ("getReader" in source) {
    const reader = source.getReader()
    return { next: () => reader.read(), cancel: (reason) => reader.cancel(reason) }
  }
  if (Symbol.asyncIterator in source) {
    const iterator = source[Symbol.asyncIterator]()
    return { next: () => iterator.next(), cancel: () => letGo(source, iterator) }
  }
  if ("stream" in source) {
    const stream = source.stream()
    return readBlob(stream) ?? pullFrom(stream)
  }
  throw wrongSource(given)
}

/** Not waited for: a generator answers only after the read that it may be waiting in itself. */
async function letGo(source: object, iterator: AsyncIterator<Uint8Array>): Promise<void> {
  iterator.return?.().catch(() => undefined)
  // the iterator of a Node stream does nothing before its first step
  ;(source as { destroy?: () => void }).destroy?.()
}

function wrongSource(source: unknown): TypeError {
  return new TypeError(
    `source must be a ReadableStream, a Blob or an async iterable of Uint8Arrays, not ${describe(source)}`,
  )
}

function assertPiece(value: unknown): asserts value is Uint8Array {
  if (!isBytes(value)) throw new TypeError(`the source must give Uint8Arrays, not ${describe(value)}`)
}

/**
 * Starts to read a source.
 *
 * @throws `TypeError` when it is none, or when somebody else reads it.
 */
export function readPieces(source: ByteSource): PieceReader {
  const pull = pullFrom(source)
  let stopped: { readonly reason: unknown } | undefined
  let ended = false
  let rejectPending: ((reason: unknown) => void) | undefined

  async function nextPiece(): Promise<Bytes | undefined> {
    for (;;) {
      const { done, value } = await pull.next().catch((error: unknown) => {
        ended = true
        throw error
      })
      if (done) {
        ended = true
        return undefined
      }
      assertPiece(value)
      // over shared memory, another thread could change a chunk between its tag and its release
      const piece = value.buffer instanceof ArrayBuffer ? (value as Bytes) : new Uint8Array(value)
      if (piece.length > 0) return piece
    }
  }

  return {
    // not a race with one promise for all reads, which would keep something of each until the end
    read: () =>
      new Promise((resolve, reject) => {
        rejectPending = reject
        if (stopped) reject(stopped.reason)
        else nextPiece().then(resolve, reject)
      }),
    async stop(reason) {
      if (stopped) return
      stopped = { reason }
      rejectPending?.(reason)
      if (!ended) await pull.cancel(reason)
    },
  }
}
