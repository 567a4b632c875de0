/**
 * Cuts the pieces of a source where the layout wants them cut: a head, so many bytes, whole chunks. Copies only what
 * straddles two pieces.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { BATCH_CHUNKS } from "./chunk-cipher.ts"
import type { PieceReader } from "./pieces.ts"

const EMPTY = new Uint8Array(0)

/** Whole chunks; after the last ones, the rest. Good until the next call. */
export interface Chunks {
  readonly whole: readonly Bytes[]
  /** What the source ends with, shorter than a chunk; undefined before its end. */
  readonly rest: Bytes | undefined
}

/** Reads a source by size. */
export class ByteReader {
  readonly #pieces: PieceReader
  #piece: Bytes = EMPTY
  /** The beginning of a chunk that earlier pieces have brought; two buffers, because one may have been given out. */
  #carry: Bytes
  #spare: Bytes
  #carried = 0

  constructor(pieces: PieceReader, chunkBytes: number) {
    this.#pieces = pieces
    this.#carry = new Uint8Array(chunkBytes)
    this.#spare = new Uint8Array(chunkBytes)
  }

  /** Makes sure that there is a piece; false at the end. */
  async #fill(): Promise<boolean> {
    if (this.#piece.length > 0) return true
    this.#piece = (await this.#pieces.read()) ?? EMPTY
    return this.#piece.length > 0
  }

  #shift(bytes: number): Bytes {
    const first = this.#piece.subarray(0, bytes)
    this.#piece = this.#piece.subarray(bytes)
    return first
  }

  /** The next `bytes`, or as many as there are, as a copy. */
  async take(bytes: number): Promise<Bytes> {
    const taken = new Uint8Array(bytes)
    let length = 0
    while (length < bytes && (await this.#fill())) {
      const part = this.#shift(bytes - length)
      taken.set(part, length)
      length += part.length
    }
    return taken.subarray(0, length)
  }

  /** Everything up to where `findEnd` says; undefined when it says 0, or the source ends before. */
  async takeHead(
    findEnd: (start: Bytes, searched: number) => number | undefined,
  ): Promise<Bytes | undefined> {
    let buffer = new Uint8Array(4096)
    let length = 0
    while (await this.#fill()) {
      const added = this.#piece.subarray(0, 65_536)
      if (length + added.length > buffer.length) {
        buffer = concat(buffer.subarray(0, length), new Uint8Array(length + added.length))
      }
      buffer.set(added, length)
      const end = findEnd(buffer.subarray(0, length + added.length), length)
      if (end === 0) return undefined
      this.#shift(end === undefined ? added.length : end - length)
      if (end !== undefined) return buffer.slice(0, end)
      length += added.length
    }
    return undefined
  }

  /** The chunks that are there, at least one, at most {@link BATCH_CHUNKS}; fewer, and the rest, at the end. */
  async takeChunks(): Promise<Chunks> {
    const chunkBytes = this.#carry.length
    const whole: Bytes[] = []
    while (whole.length === 0) {
      if (!(await this.#fill())) return { whole, rest: this.#carry.subarray(0, this.#carried) }
      if (this.#carried > 0) this.#fillCarry(whole)
      const fit = Math.floor(this.#piece.length / chunkBytes)
      for (let left = Math.min(fit, BATCH_CHUNKS - whole.length); left > 0; left--) {
        whole.push(this.#shift(chunkBytes))
      }
      if (this.#carried === 0 && this.#piece.length < chunkBytes) this.#fillCarry(whole)
    }
    return { whole, rest: undefined }
  }

  #fillCarry(whole: Bytes[]): void {
    const part = this.#shift(this.#carry.length - this.#carried)
    this.#carry.set(part, this.#carried)
    this.#carried += part.length
    if (this.#carried < this.#carry.length) return
    whole.push(this.#carry)
    ;[this.#carry, this.#spare] = [this.#spare, this.#carry]
    this.#carried = 0
  }
}
