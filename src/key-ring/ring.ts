/**
 * A key ring that lives in a store: all servers of a fleet open with its keys and publish the same ones, and one of them takes
 * each step when it is due. docs/protocol.md §7, last paragraph.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { materialOf, type PrivateKey, type PublicKey } from "../keys/key.ts"
import { sealBackup } from "./backup.ts"
import { type Change, RingBook } from "./book.ts"
import { type OnKeyRingEvent, report } from "./events.ts"
import type { Keeper, MadeKey } from "./keeper.ts"
import type { PlannedKey, StoredKey, StoredKeyRing } from "./manager.ts"
import { destroyableFromMs, dueSteps, rotationFromMs, waitingKey } from "./schedule.ts"
import { KeyShelf } from "./shelf.ts"
import { type RingAuthenticity, RingScribe } from "./scribe.ts"
import { type KeyRecord, publishedAt, type RingState, seqAt, stateOf, successorOf } from "./state.ts"
import { assertNonePlanned, destroy, hold, retire, succeed, withKey } from "./steps.ts"
import type { KeyRingStore } from "./store.ts"
import { type KeyRingTerms, readTerms } from "./terms.ts"
import { UseCounter } from "./uses.ts"

/** Plans the next key in a state. */
type Planner = (state: RingState, atMs: number) => RingState

/** What a ring is made of. */
export interface RingParts {
  readonly store: KeyRingStore
  readonly keeper: Keeper | undefined
  readonly clock: Clock
  readonly onEvent: OnKeyRingEvent | undefined
  readonly acceptsUnauthenticated: boolean
}

/** A ring, and all that can be done to it. */
export class StoredRing implements StoredKeyRing {
  readonly #clock: Clock
  readonly #keeper: Keeper | undefined
  readonly #onEvent: OnKeyRingEvent | undefined
  readonly #uses: UseCounter
  readonly #shelf: KeyShelf | undefined
  readonly #scribe: RingScribe
  readonly book: RingBook
  #isFollowing = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor({ store, keeper, clock, onEvent, acceptsUnauthenticated }: RingParts) {
    this.#clock = clock
    this.#keeper = keeper
    this.#onEvent = onEvent
    this.#uses = new UseCounter(store, clock)
    this.#shelf = keeper && new KeyShelf(keeper, this.#uses)
    this.#scribe = new RingScribe(keeper, acceptsUnauthenticated)
    this.book = new RingBook(store, clock, this.#scribe, async (state) => this.#shelf?.take(state))
  }

  get terms(): KeyRingTerms {
    return this.book.state.terms
  }

  get authenticity(): RingAuthenticity {
    return this.#scribe.authenticity
  }

  get seq(): number {
    return seqAt(this.book.state, this.#clock())
  }

  find(kid: string): PrivateKey | undefined {
    return this.#shelf?.find(kid)
  }

  published(): PublicKey[] {
    const keys = publishedAt(this.book.state, this.#clock())
    return keys.flatMap(({ kid }) => this.find(kid)?.publicKey ?? [])
  }

  list(): StoredKey[] {
    const { state } = this.book
    return state.keys.map((record) => {
      const { kept, destroyFromMs, ...shown } = record
      const current = { state: stateOf(record, this.#clock()), use: this.#uses.useOf(record.kid) }
      return Object.freeze({ ...shown, ...current, destroyableFromMs: destroyableFromMs(record, state) })
    })
  }

  /** Follows the store, adds to its counters and, at a server, takes the steps that are due. */
  async refresh(): Promise<void> {
    try {
      if (await this.book.load()) void report(this.#onEvent, { type: "followed", version: this.book.version })
      if (this.#isFollowing) await this.#takeDueSteps()
      await this.#uses.flush()
    } catch (error) {
      void report(this.#onEvent, { type: "failed", error })
      throw error
    }
  }

  /** Refreshes twice in `refreshSeconds`, so that one that comes late is in time. Keeps no process alive. */
  startFollowing(): void {
    this.#isFollowing = true
    this.#timer = setTimeout(() => {
      void this.refresh()
        .catch(() => undefined)
        .then(() => {
          if (this.#isFollowing) this.startFollowing()
        })
    }, this.terms.refreshSeconds * 500)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  async close(): Promise<void> {
    this.#isFollowing = false
    clearTimeout(this.#timer)
    await this.refresh()
  }

  async #takeDueSteps(): Promise<void> {
    const due = dueSteps(this.book.state, this.#clock())
    if (due.nextFromMs === undefined && due.destroy.length === 0) return
    await this.#change(async (state, next) => {
      // first, because it takes a while, and all times count from after it
      const isDue = dueSteps(state, this.#clock()).nextFromMs !== undefined
      const ready = isDue ? await next(state) : undefined
      const nowMs = this.#clock()
      const { nextFromMs, destroy: doomed } = dueSteps(state, nowMs)
      if (nextFromMs === undefined && doomed.length === 0) return undefined
      const rest = doomed.reduce((left, kid) => destroy(left, kid, nowMs, false), state)
      return ready && nextFromMs !== undefined ? ready(rest, nextFromMs) : rest
    })
  }

  /** Writes terms into the ring, unless it has them and is as authentic as it can be. */
  async writeTerms(terms: Partial<KeyRingTerms>): Promise<void> {
    await this.book.update((state) => {
      const wanted = readTerms({ ...state.terms, ...terms })
      const isSame = JSON.stringify(wanted) === JSON.stringify(state.terms)
      return isSame && !this.#scribe.isUpgrading ? undefined : { ...state, terms: wanted }
    })
  }

  async rotate({ urgent = false }: { readonly urgent?: boolean } = {}): Promise<PlannedKey> {
    await this.#change(async (state, next) => {
      assertNonePlanned(state, this.#clock())
      const ready = await next(state)
      return ready(state, rotationFromMs(state, this.#clock(), urgent))
    })
    const { kid = "", activeFromMs = 0 } = successorOf(this.book.state) ?? {}
    return { kid, activeFromMs }
  }

  async add(key: PrivateKey, state: "pending" | "retired" = "pending"): Promise<void> {
    materialOf(key, "private", "key")
    if (!["pending", "retired"].includes(state)) {
      throw new RangeError(`state must be pending or retired, not ${describe(state)}`)
    }
    const keeper = this.#protection()
    const kept = { by: keeper.by, text: await keeper.keep(key) }
    await this.#change((before) => {
      const added = withKey(before, newRecord(key.kid, kept, this.#clock()))
      return state === "retired" ? retire(added, key.kid, this.#clock()) : added
    })
  }

  async retire(kid: string): Promise<void> {
    await this.#change((state) => retire(state, kid, this.#clock()))
  }

  async destroy(kid: string, options: { readonly dangerouslyLoseMessages?: boolean } = {}): Promise<void> {
    assertOptions(options, "options", ["dangerouslyLoseMessages"])
    const { dangerouslyLoseMessages = false } = options
    await this.#change((state) => destroy(state, kid, this.#clock(), dangerouslyLoseMessages))
  }

  async hold(kid: string, purpose?: string): Promise<void> {
    await this.#change((state) => hold(state, kid, purpose))
  }

  async backup(passphrase: string | Uint8Array): Promise<string> {
    return sealBackup(this.book.state, this.#protection(), passphrase)
  }

  #protection(): Keeper {
    if (this.#keeper) return this.#keeper
    throw new TypeError("options.protection is needed to make, add or back up keys")
  }

  /** Changes the ring; `next` makes the next key, or takes the one that waits, and gives the way to plan it. */
  async #change(
    change: (state: RingState, next: (state: RingState) => Promise<Planner>) => ReturnType<Change>,
  ): Promise<void> {
    let made: MadeKey | undefined
    const next = async (state: RingState): Promise<Planner> => {
      const waiting = waitingKey(state)
      if (waiting) return (planned, atMs) => succeed(planned, waiting.kid, atMs)
      const keeper = this.#protection()
      const { key, text } = (made ??= await keeper.make(state.terms.modulusBits))
      this.#shelf?.put({ key, text })
      const record = newRecord(key.kid, { by: keeper.by, text }, this.#clock())
      return (planned, atMs) => succeed(withKey(planned, record), key.kid, atMs)
    }
    // where it is not known whether a key was stored, it is not discarded either
    const before = await this.book.update((state) => change(state, next))
    await this.#settle(before)
    if (made) await this.#discard(made)
  }

  /** Tells what this server has changed. */
  async #settle(before: RingState): Promise<void> {
    const after = this.book.state
    const left = before.keys.filter(({ kid }) => !after.keys.some((key) => key.kid === kid))
    for (const { kid, kept } of left) {
      void report(this.#onEvent, { type: "destroyed", kid, lastUsedAtMs: this.#uses.useOf(kid).lastUsedAtMs })
      if (kept.by === this.#keeper?.by) await this.#keeper.forget?.(kept.text)
    }
    const planned = successorOf(after)
    if (planned?.activeFromMs === undefined || planned.kid === successorOf(before)?.kid) return
    void report(this.#onEvent, { type: "planned", kid: planned.kid, activeFromMs: planned.activeFromMs })
  }

  /** A key that was made for nothing: another server came first. */
  async #discard({ key, text }: MadeKey): Promise<void> {
    if (!this.book.state.keys.some(({ kid }) => kid === key.kid)) await this.#keeper?.forget?.(text)
  }
}

/** A key that nothing is planned for. */
export function newRecord(kid: string, kept: KeyRecord["kept"], createdAtMs: number): KeyRecord {
  const unplanned = { activeFromMs: undefined, retiredFromMs: undefined, destroyFromMs: undefined }
  return { kid, createdAtMs, ...unplanned, heldFor: undefined, kept }
}
