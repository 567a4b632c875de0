/**
 * Keys that the server's key directory names, which is believed by pins. docs/protocol.md §7.
 * Apart from the client, and loaded when it is needed, so that a page which brings its keys does not pay for it.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { type Directory, MAX_DIRECTORY_BYTES, readDirectory } from "../http/directory.ts"
import type { PublicKey } from "../keys/key.ts"
import { discard, readText } from "./body.ts"
import type { CorrectedClock } from "./corrected-clock.ts"
import { Deadline } from "./deadline.ts"
import type { Emit } from "./events.ts"
import type { KeySource } from "./keys.ts"
import type { Settings } from "./options.ts"
import { platformSeqStore, type SeqStore } from "./seq-store.ts"
import type { Timing } from "./timing.ts"

/** Whose directory is believed, and what fetching it takes. */
export interface DirectoryTerms {
  readonly settings: Settings
  readonly pins: readonly string[]
  readonly clock: CorrectedClock
  readonly timing: Timing
  readonly emit: Emit
}

const untrusted = (message: string, outerStatus: number): SealwireError =>
  new SealwireError("ERR_KEYS_UNTRUSTED", `the server's key directory ${message}`, { outerStatus })

/** The text of the directory, as it came. */
async function ask({ fetch, directoryUrl, outerInit }: Settings, { signal }: Deadline): Promise<string> {
  try {
    const response = await fetch(directoryUrl, { ...outerInit, signal })
    const { status: outerStatus } = response
    const isThere = outerStatus === 200 && !response.redirected
    // base64url of it, with header and signature
    const text = isThere ? await readText(response, 2 * MAX_DIRECTORY_BYTES) : undefined
    if (text !== undefined) return text.trim()
    discard(response)
    throw untrusted(isThere ? "is too large" : `was answered with status ${outerStatus}`, outerStatus)
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_NETWORK", "the server's key directory could not be fetched", { cause })
  }
}

async function remembered<Result>(operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation()
  } catch (cause) {
    const message =
      "the server's key directory cannot be compared with the one seen before: the store of seqs failed"
    throw new SealwireError("ERR_KEYS_UNTRUSTED", message, { cause })
  }
}

/** The keys of a pinned directory: fetched when they are first needed, when they have run out, and after refusals. */
export class PinnedKeys implements KeySource {
  readonly #terms: DirectoryTerms
  readonly #seqStore: SeqStore
  #directory: Directory | undefined
  #pending: Promise<Directory> | undefined
  #refreshedAtMs = -Infinity

  constructor(terms: DirectoryTerms) {
    this.#terms = terms
    this.#seqStore = terms.settings.seqStore ?? platformSeqStore()
  }

  async keys(): Promise<readonly PublicKey[]> {
    const { expiresAtSeconds = 0 } = this.#directory ?? {}
    const isCurrent = this.#terms.clock.nowMs() < expiresAtSeconds * 1000
    return (isCurrent && this.#directory ? this.#directory : await this.#load()).keys
  }

  async refresh(kid: string): Promise<boolean> {
    const { timing, settings } = this.#terms
    if (this.#isFirst(kid)) {
      const sinceMs = timing.now() - this.#refreshedAtMs
      if (!this.#pending && sinceMs < settings.refreshCooldownMs) return false
      if (!this.#pending) this.#refreshedAtMs = timing.now()
      await this.#load()
    }
    return !this.#isFirst(kid)
  }

  #isFirst(kid: string): boolean {
    return this.#directory?.keys[0]?.kid === kid
  }

  /** All who need it at one time share one fetch. */
  #load(): Promise<Directory> {
    this.#pending ??= this.#fetch().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  async #fetch(): Promise<Directory> {
    const { emit } = this.#terms
    try {
      const directory = await this.#believed()
      this.#directory = directory
      const { seq, keys, next } = directory
      emit({ type: "directory", seq, kids: keys.map(({ kid }) => kid), next })
      return directory
    } catch (error) {
      emit({ type: "directory-failure", code: error instanceof SealwireError ? error.code : undefined })
      throw error
    }
  }

  async #believed(): Promise<Directory> {
    const { settings, pins, clock } = this.#terms
    const { origin, backend, timeoutMs } = settings
    const store = this.#seqStore
    const deadline = new Deadline(timeoutMs, undefined)
    try {
      const lowestSeq = (await deadline.wait(remembered(() => store.highestSeq(origin)))) ?? 0
      const text = await deadline.wait(ask(settings, deadline))
      const nowSeconds = Math.floor(clock.nowMs() / 1000)
      const directory = await readDirectory(backend, text, { pins, origin, nowSeconds, lowestSeq })
      await deadline.wait(remembered(() => store.raise(origin, directory.seq)))
      return directory
    } finally {
      deadline.end()
    }
  }
}
