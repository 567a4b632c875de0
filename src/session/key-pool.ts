/**
 * A bounded pool of RSA pairs, one for each session, filled in the background. docs/protocol.md §6 step 2: a pair takes up to
 * seconds, so none is ever made while a client waits.
 *
 * @module
 */

import { backend as platform } from "#backend"

import { processTime } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import type { Backend, ModulusBits } from "../crypto/backend.ts"
import { MODULUS_BITS } from "../keys/jwk.ts"
import { generateKeyPair, type KeyPair } from "../keys/recipient.ts"

/** Options of {@link createKeyPool}. */
export interface KeyPoolOptions {
  /** Pairs that are kept ready: 1 to 10,000. As many sessions can open at once. Default: 64. */
  readonly size?: number
  /** Size of the modulus in bits: 2048, 3072 or 4096. Default: 3072. */
  readonly modulusBits?: ModulusBits
  /**
   * How much of one core making pairs may take, above 0 and at most 1. Default: 0.5, so that those who use sessions notice nothing
   * on a machine of two cores. With 1, the pool makes twice as many.
   */
  readonly share?: number
  /** Whether private keys may leave this process, encrypted, for a session store that several share. Default: false. */
  readonly extractable?: boolean
  /** Default: the platform's. */
  readonly backend?: Backend
  /** Told the depth after each pair that is made or taken. What it gives or throws is ignored. */
  readonly onDepth?: (depth: number) => unknown
}

/** RSA pairs for sessions. Made by {@link createKeyPool}. */
export interface KeyPool {
  /** Pairs that are ready now. */
  readonly depth: number
  /** Pairs that are kept ready. */
  readonly size: number
  readonly extractable: boolean
  readonly backend: Backend
  /**
   * Takes a pair, for good.
   *
   * @throws `SealwireError` `ERR_KEY_UNAVAILABLE` when none is ready, with the time that making one takes.
   */
  take(): KeyPair
  /** Gives back a pair that nobody has seen. */
  putBack(pair: KeyPair): void
  /** Resolves when that many pairs are ready. Default: all. Rejects when making them fails, or the pool closes. */
  ready(depth?: number): Promise<void>
  /** Makes no more pairs; those that are ready can still be taken. */
  close(): void
}

const OPTIONS = ["size", "modulusBits", "share", "extractable", "backend", "onDepth"]
const FIRST_GUESS_MS = 500
/** The mean is over so many pairs: while the machine is busy for a minute, the pool makes as many as before. */
const REMEMBERED_PAIRS = 1000

interface Waiting {
  readonly depth: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

class Pool implements KeyPool {
  readonly size: number
  readonly extractable: boolean
  readonly backend: Backend
  readonly #modulusBits: ModulusBits
  readonly #share: number
  readonly #onDepth: ((depth: number) => unknown) | undefined
  readonly #pairs: KeyPair[] = []
  #waiting: Waiting[] = []
  #isFilling = false
  #isClosed = false
  #made = 0
  #meanMs = FIRST_GUESS_MS
  #rest: ReturnType<typeof setTimeout> | undefined

  constructor(options: Required<Omit<KeyPoolOptions, "onDepth">> & Pick<KeyPoolOptions, "onDepth">) {
    this.size = options.size
    this.extractable = options.extractable
    this.backend = options.backend
    this.#modulusBits = options.modulusBits
    this.#share = options.share
    this.#onDepth = options.onDepth
  }

  get depth(): number {
    return this.#pairs.length
  }

  take(): KeyPair {
    const pair = this.#pairs.shift()
    this.fill()
    if (!pair) {
      throw new SealwireError("ERR_KEY_UNAVAILABLE", "no key for a session is ready: they are being made", {
        retryAfterSeconds: Math.ceil(this.#meanMs / this.#share / 1000),
      })
    }
    this.#report()
    return pair
  }

  putBack(pair: KeyPair): void {
    this.#pairs.unshift(pair)
    this.#report()
    this.#settle()
  }

  ready(depth: number = this.size): Promise<void> {
    assertInteger(depth, "depth", 0, this.size)
    if (this.depth >= depth) return Promise.resolve()
    if (this.#isClosed) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ depth, resolve, reject })
      this.fill()
    })
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#rest)
    this.#settle(closed())
  }

  /** Makes pairs until the pool is full, one at a time, with a rest after each. */
  fill(): void {
    if (this.#isFilling) return
    this.#isFilling = true
    void this.#fillAll()
  }

  async #fillAll(): Promise<void> {
    while (!this.#isClosed && this.depth < this.size) {
      const startMs = processTime()
      try {
        this.#pairs.push(await this.#generate())
      } catch (error) {
        // the next try waits for someone who needs it, who may be among those who are told now
        this.#isFilling = false
        this.#settle(error)
        return
      }
      this.#learn(processTime() - startMs)
      this.#report()
      this.#settle()
      await this.#takeRest()
    }
    // at once, or a pair that is taken in between would not be replaced
    this.#isFilling = false
  }

  #learn(tookMs: number): void {
    this.#made = Math.min(this.#made + 1, REMEMBERED_PAIRS)
    this.#meanMs += (tookMs - this.#meanMs) / this.#made
  }

  /** Leaves the core to others for as long as the share asks; in a pool that is closed it has no end, and holds no process. */
  #takeRest(): Promise<void> | undefined {
    const restMs = this.#meanMs / this.#share - this.#meanMs
    if (restMs === 0) return undefined
    return new Promise((resolve) => {
      if (!this.#isClosed) this.#rest = setTimeout(resolve, restMs)
    })
  }

  #generate(): Promise<KeyPair> {
    const { backend, extractable } = this
    return generateKeyPair({ modulusBits: this.#modulusBits, extractable, backend })
  }

  /** Tells those who wait for what is there now, or all that it failed. */
  #settle(failure?: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      if (this.depth >= each.depth) each.resolve()
      else if (failure !== undefined) each.reject(failure)
      else this.#waiting.push(each)
    }
  }

  #report(): void {
    const { depth } = this
    void (async () => this.#onDepth?.(depth))().catch(() => undefined)
  }
}

const closed = (): SealwireError => new SealwireError("ERR_KEY_UNAVAILABLE", "the key pool is closed")

/**
 * Creates a pool of RSA pairs, and starts to fill it.
 *
 * Making a 3072-bit pair takes about a quarter of a second of one core, on Node 20 three quarters, and as long again is rest: so many
 * sessions can open for long. The pool is what a burst can take, and evens out that some pairs take several times as long as
 * others. A pair that is ready holds some 6 KB.
 *
 * @throws `TypeError` or `RangeError` for a wrong option.
 */
export function createKeyPool(options: KeyPoolOptions = {}): KeyPool {
  assertOptions(options, "options", OPTIONS)
  const { size = 64, modulusBits = 3072, share = 0.5, extractable = false, backend = platform } = options
  const { onDepth } = options
  assertInteger(size, "options.size", 1, 10_000)
  if (!(typeof share === "number" && share > 0 && share <= 1)) {
    throw new RangeError(`options.share must be above 0 and at most 1, not ${String(share)}`)
  }
  if (!MODULUS_BITS.includes(modulusBits)) {
    throw new RangeError(`options.modulusBits must be 2048, 3072 or 4096, not ${String(modulusBits)}`)
  }
  if (onDepth !== undefined) assertFunction(onDepth, "options.onDepth")
  const pool = new Pool({
    size,
    modulusBits,
    share,
    extractable: extractable === true,
    backend,
    ...(onDepth ? { onDepth } : {}),
  })
  pool.fill()
  return pool
}
