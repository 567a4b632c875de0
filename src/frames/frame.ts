/**
 * Frames: what follows a reply in a channel or a streamed response. docs/protocol.md §9.
 * Each direction has its key and its counter; a gap, a repeat or a failed tag ends it.
 *
 * @module
 */

import { type Bytes, concat, NOTHING } from "../base/bytes.ts"
import { openFailed } from "../base/errors.ts"
import { encodeAscii } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { expand } from "../crypto/derive.ts"
import { IV_BYTES, TAG_BYTES } from "../crypto/sizes.ts"

/** Which way frames go: client to server, or server to client. */
export type Direction = "c2s" | "s2c"

/** `kind`: binary, text, or the end of this direction. */
export const FRAME_KINDS = { binary: 0, text: 1, end: 2 } as const
/** The byte that starts a frame. */
export type FrameKind = (typeof FRAME_KINDS)[keyof typeof FRAME_KINDS]

/** A frame, opened. */
export interface Frame {
  readonly kind: FrameKind
  readonly payload: Bytes
}

/** What a frame takes besides its payload: the kind and the tag. */
export const FRAME_OVERHEAD_BYTES: number = 1 + TAG_BYTES

/** Frames under one key (§9). */
const EPOCH = 2 ** 20

/** `nonce = kind ‖ 0x000000 ‖ u64(counter)` */
function nonceOf(kind: FrameKind, counter: number): Bytes {
  const nonce = new Uint8Array(IV_BYTES)
  nonce[0] = kind
  const view = new DataView(nonce.buffer)
  view.setUint32(4, Math.floor(counter / 2 ** 32))
  view.setUint32(8, counter >>> 0)
  return nonce
}

/** The keys and counters of one direction. `from` is 0, save to reproduce a known answer from the middle. */
class Schedule {
  readonly #backend: Backend
  readonly #from: number
  #key: Promise<Bytes>
  #counter: number

  constructor(backend: Backend, secret: Bytes, direction: Direction, from: number) {
    this.#backend = backend
    this.#from = from
    this.#counter = from
    this.#key = Promise.resolve(expand(backend, secret, "frames", encodeAscii(direction)))
    for (let step = 0; step < Math.floor(from / EPOCH); step++) this.#step()
  }

  /** Takes the next counter, at once: callers may seal several frames without waiting for the first. */
  next(kind: FrameKind): { readonly key: Promise<Bytes>; readonly nonce: Bytes } {
    const counter = this.#counter++
    if (counter > this.#from && counter % EPOCH === 0) this.#step()
    return { key: this.#key, nonce: nonceOf(kind, counter) }
  }

  #step(): void {
    this.#key = this.#key.then((key) => expand(this.#backend, key, "rekey", NOTHING))
  }
}

/** Seals one direction. */
export class FrameSealer {
  readonly #backend: Backend
  readonly #schedule: Schedule
  #ended = false

  /** @param secret - X of the reply that these frames follow. */
  constructor(backend: Backend, secret: Bytes, direction: Direction, from = 0) {
    this.#backend = backend
    this.#schedule = new Schedule(backend, secret, direction, from)
  }

  /** Seals a frame; `payload` must not change before the promise settles. Nothing may follow an end. */
  async seal(kind: FrameKind, payload: Bytes = NOTHING): Promise<Bytes> {
    if (this.#ended) throw new TypeError("this direction has ended")
    this.#ended = kind === FRAME_KINDS.end
    const { key, nonce } = this.#schedule.next(kind)
    const { ciphertext, tag } = await this.#backend.sealAesGcm(await key, nonce, NOTHING, payload)
    return concat(new Uint8Array([kind]), ciphertext, tag)
  }
}

/** Opens one direction, frame by frame, in order. */
export class FrameOpener {
  readonly #backend: Backend
  readonly #schedule: Schedule
  #broken = false
  #ended = false

  /** @param secret - X of the reply that these frames follow. */
  constructor(backend: Backend, secret: Bytes, direction: Direction, from = 0) {
    this.#backend = backend
    this.#schedule = new Schedule(backend, secret, direction, from)
  }

  /** Whether the peer has said that nothing follows. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Opens the next frame. Calls must not overlap.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED` for anything but the next frame of the peer; then for every call.
   */
  async open(frame: Bytes): Promise<Frame> {
    const opened = this.#broken || this.#ended ? undefined : await this.#tryOpen(frame)
    if (!opened) {
      this.#broken = true
      throw openFailed()
    }
    this.#ended = opened.kind === FRAME_KINDS.end
    return opened
  }

  async #tryOpen(frame: Bytes): Promise<Frame | undefined> {
    const kind = frame[0]
    if ((kind !== 0 && kind !== 1 && kind !== 2) || frame.length < FRAME_OVERHEAD_BYTES) return undefined
    const { key, nonce } = this.#schedule.next(kind)
    const tagAt = frame.length - TAG_BYTES
    const sealed = { ciphertext: frame.subarray(1, tagAt), tag: frame.subarray(tagAt) }
    try {
      const payload = await this.#backend.openAesGcm(await key, nonce, NOTHING, sealed)
      // an end says nothing but that
      return kind === FRAME_KINDS.end && payload.length > 0 ? undefined : { kind, payload }
    } catch {
      return undefined
    }
  }
}
