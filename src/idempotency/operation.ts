/**
 * One operation as one request asks for it: begun, waited for, finished. docs/protocol.md §8.3.
 *
 * @module
 */

import { type Bytes, equalConstantTime, NOTHING } from "../base/bytes.ts"
import type { Backend } from "../crypto/backend.ts"
import { operationCodec, type OperationCodec, type OperationRecord } from "./record.ts"
import type { IdempotencyStore } from "./store.ts"

/** Where operations are remembered, and for how long. */
export interface Idempotency {
  readonly store: IdempotencyStore
  /** Undefined for a store in this process. */
  readonly recordKeys: readonly Bytes[] | undefined
  readonly keepSeconds: number
  /** Longest wait for an operation that is under way. */
  readonly waitMs: number
  readonly maxAnswerBytes: number
}

/** How an operation stands to the request that asks for it. */
export type Standing =
  /** The caller's, to carry out and to finish. */
  | "new"
  /** Its id was used for another message. */
  | "conflict"
  /** What is held is of no key of this server: the key is gone, or the record was changed. */
  | "unreadable"
  | OperationRecord

const FIRST_DELAY_MS = 20
const LONGEST_DELAY_MS = 250

const isUnderWay = (standing: Standing): boolean => typeof standing === "object" && standing.state === "begun"

/** Waits, unless or until the signal is aborted. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, delayMs)
    signal.addEventListener("abort", end, { once: true })
  })
}

/** An operation, told by its id and by the digest of the message that asks for it. */
export class Operation {
  readonly #terms: Idempotency
  readonly #codec: OperationCodec
  readonly #id: string
  readonly #digest: Bytes
  #begun: Uint8Array = NOTHING

  constructor(terms: Idempotency, backend: Backend, id: string, digest: Bytes) {
    this.#terms = terms
    this.#codec = operationCodec(backend, terms.recordKeys)
    this.#id = id
    this.#digest = digest
  }

  /**
   * Begins the operation, unless somebody has; then waits a little for his answer.
   *
   * @throws What the store throws: nothing was carried out then.
   */
  async begin(signal: AbortSignal): Promise<Standing> {
    const { store, keepSeconds } = this.#terms
    this.#begun = await this.#encode("begun", NOTHING)
    const held = await store.begin(this.#id, this.#begun, keepSeconds)
    if (!held) return "new"
    return this.#settled(await this.#standingOf(held), signal)
  }

  /** Keeps the answer, or only that there was one where it is too long or does not fit. */
  async finish(answer: Bytes | undefined): Promise<void> {
    const { maxAnswerBytes } = this.#terms
    if (answer && answer.length <= maxAnswerBytes && (await this.#replace("answered", answer))) return
    await this.#replace("unkept", NOTHING)
  }

  /** Polls, since no store can call. */
  async #settled(first: Standing, signal: AbortSignal): Promise<Standing> {
    const { store, waitMs } = this.#terms
    let standing = first
    let waitedMs = 0
    for (
      let delayMs = FIRST_DELAY_MS;
      isUnderWay(standing);
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)
    ) {
      if (waitedMs >= waitMs || signal.aborted) break
      const stepMs = Math.min(delayMs, waitMs - waitedMs)
      await pause(stepMs, signal)
      waitedMs += stepMs
      const held = await store.find(this.#id)
      // forgotten meanwhile: whoever began it may be at it still, so it is nobody else's to begin
      if (!held) break
      standing = await this.#standingOf(held)
    }
    return standing
  }

  async #standingOf(held: Uint8Array): Promise<Standing> {
    const record = await this.#codec.decode(this.#id, held)
    if (!record) return "unreadable"
    return equalConstantTime(record.digest, this.#digest) ? record : "conflict"
  }

  /** Whether the store did not fail. Carried out is carried out: what cannot be kept stays "under way", and is not carried out again. */
  async #replace(state: "answered" | "unkept", answer: Bytes): Promise<boolean> {
    try {
      const content = await this.#encode(state, answer)
      await this.#terms.store.finish(this.#id, this.#begun, content)
      return true
    } catch {
      return false
    }
  }

  #encode(state: OperationRecord["state"], answer: Bytes): Promise<Uint8Array> {
    return this.#codec.encode(this.#id, { digest: this.#digest, state, answer })
  }
}
