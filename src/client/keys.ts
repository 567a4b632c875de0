/**
 * Whom to seal to: keys that the application brings, or those that the server's key directory names. docs/protocol.md §7.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import type { Backend } from "../crypto/backend.ts"
import { type Directory, MAX_DIRECTORY_BYTES, readDirectory } from "../http/directory.ts"
import type { PublicKey } from "../keys/key.ts"
import { discard, readText } from "./body.ts"
import type { CorrectedClock } from "./corrected-clock.ts"
import { Deadline } from "./deadline.ts"
import type { Emit } from "./events.ts"
import type { SeqStore } from "./seq-store.ts"
import type { Timing } from "./timing.ts"

/** The server's keys. */
export interface KeySource {
  /** At least one; messages are sealed to the first. */
  keys(): Promise<readonly PublicKey[]>
  /** After the uniform refusal of a message to `kid`: whether the first key is another one now. */
  refresh(kid: string): Promise<boolean>
}

/** Keys that the application brings; the next one's turn comes with a refusal. */
export function fixedKeys(given: readonly PublicKey[]): KeySource {
  let keys = given
  return {
    keys: async () => keys,
    async refresh(kid) {
      const [first, ...others] = keys
      if (first?.kid === kid) keys = [...others, first]
      return keys[0]?.kid !== kid
    },
  }
}

/** Where a directory is, and what it must be. */
export interface DirectoryTerms {
  readonly url: string
  /** The origin that it must be for. */
  readonly origin: string
  readonly pins: readonly string[]
  readonly backend: Backend
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** For the outer request. */
  readonly init: RequestInit
  readonly timeoutMs: number
  /** Least time between two fetches that refusals ask for. */
  readonly cooldownMs: number
  readonly seqStore: SeqStore
  readonly clock: CorrectedClock
  readonly timing: Timing
  readonly emit: Emit
}

/** A distrusted directory; `cause` for what was thrown on the way to it. */
const untrusted = (message: string, details: { cause: unknown } | { outerStatus: number }): SealwireError =>
  new SealwireError("ERR_KEYS_UNTRUSTED", `the server's key directory ${message}`, details)

async function fetchText({ url, fetch, init }: DirectoryTerms, deadline: Deadline): Promise<string> {
  let response: Response
  try {
    response = await deadline.wait(fetch(url, { ...init, signal: deadline.signal }))
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_NETWORK", "the server's key directory could not be fetched", { cause })
  }
  const { status: outerStatus } = response
  if (outerStatus !== 200 || response.redirected) {
    discard(response)
    throw untrusted(`was answered with status ${outerStatus}`, { outerStatus })
  }
  // base64url of it, with header and signature
  const text = await deadline.wait(readText(response, 2 * MAX_DIRECTORY_BYTES))
  if (text === undefined) throw untrusted("is too large, or no text", { outerStatus })
  return text.trim()
}

async function fetchDirectory(terms: DirectoryTerms): Promise<Directory> {
  const { origin, pins, seqStore, clock, backend } = terms
  const deadline = new Deadline(terms.timeoutMs, undefined)
  try {
    const lowestSeq = (await deadline.wait(remembered(() => seqStore.highestSeq(origin)))) ?? 0
    const text = await fetchText(terms, deadline)
    const nowSeconds = Math.floor(clock.nowMs() / 1000)
    const directory = await readDirectory(backend, text, { pins, origin, nowSeconds, lowestSeq })
    await deadline.wait(remembered(() => seqStore.raise(origin, directory.seq)))
    return directory
  } finally {
    deadline.end()
  }
}

async function remembered<Result>(operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation()
  } catch (cause) {
    throw untrusted("cannot be compared with the one seen before: the store of seqs failed", { cause })
  }
}

/** The keys of a pinned directory: fetched when they are first needed, when they have run out, and after refusals. */
export class PinnedKeys implements KeySource {
  readonly #terms: DirectoryTerms
  #directory: Directory | undefined
  #pending: Promise<Directory> | undefined
  #refreshedAtMs = -Infinity

  constructor(terms: DirectoryTerms) {
    this.#terms = terms
  }

  async keys(): Promise<readonly PublicKey[]> {
    const { expiresAtSeconds = 0 } = this.#directory ?? {}
    const isCurrent = this.#terms.clock.nowMs() < expiresAtSeconds * 1000
    return (isCurrent && this.#directory ? this.#directory : await this.#load()).keys
  }

  async refresh(kid: string): Promise<boolean> {
    const { timing, cooldownMs } = this.#terms
    if (this.#isFirst(kid)) {
      const sinceMs = timing.now() - this.#refreshedAtMs
      if (!this.#pending && sinceMs < cooldownMs) return false
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
      const directory = await fetchDirectory(this.#terms)
      this.#directory = directory
      const { seq, keys, next } = directory
      emit({ type: "directory", seq, kids: keys.map(({ kid }) => kid), next })
      return directory
    } catch (error) {
      emit({ type: "directory-failure", code: error instanceof SealwireError ? error.code : undefined })
      throw error
    }
  }
}
