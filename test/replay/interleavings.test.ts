/**
 * The interleavings of docs/formal/replay-guard.pml, against the built guard and the built memory store: readers with
 * clocks of their own, a store behind a wire, and a world that lets time pass, steps clocks, purges and restarts.
 *
 * @module
 */

import fc, { type Scheduler } from "fast-check"
import { describe, expect, test } from "vitest"

import { createReplayGuard } from "../../src/replay/guard.ts"
import { memoryStore } from "../../src/replay/memory-store.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import { NOW_SECONDS } from "../support/forge.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"

// the model's second is a minute here: the store drops ids by whole minutes
const MINUTE = 60
const CLOCK_ERROR = MINUTE
const START_SECONDS = NOW_SECONDS - (NOW_SECONDS % MINUTE)
const TIMES = {
  maxAgeSeconds: 2 * MINUTE,
  maxSkewSeconds: MINUTE,
  clockErrorSeconds: CLOCK_ERROR,
  storeTimeoutMs: 60_000,
}
const READERS = 3
/** One a minute, from the start on. */
const ENVELOPES = ["A", "E", "I"].map((letter, minutes) => ({
  claimId: letter.repeat(43),
  issuedAtSeconds: START_SECONDS + minutes * MINUTE,
}))
const STRANGER_ID = "Q".repeat(43)

type Event =
  | { readonly kind: "time passes" | "purge" }
  /** `clock` is a reader's, or the store's: the last one. */
  | { readonly kind: "clock step"; readonly clock: number; readonly aheadSeconds: number }
  /** With the clock of the machine that it then runs on. */
  | { readonly kind: "restart"; readonly aheadSeconds: number }

const aheadSeconds = fc.constantFrom(-CLOCK_ERROR, 0, CLOCK_ERROR)
const anyClocks = fc.array(aheadSeconds, { minLength: READERS + 1, maxLength: READERS + 1 })
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom<Event>({ kind: "time passes" }, { kind: "purge" }),
  fc.record({ kind: fc.constant("clock step" as const), clock: fc.nat(READERS), aheadSeconds }),
  fc.record({ kind: fc.constant("restart" as const), aheadSeconds }),
)
/** Which envelopes each reader gets, in which order. */
const anyDeliveries = fc.array(fc.array(fc.nat(ENVELOPES.length - 1), { maxLength: 3 }), {
  minLength: READERS,
  maxLength: READERS,
})

/** What a restart leaves a fleet with. */
type Kind = (clock: () => number, schedule: (label: string) => Promise<void>) => ReplayStore

const built: Kind = (clock) => memoryStore({ clock })

const forgetful: Kind = (clock) => memoryStore({ clock, dangerouslyForgetOnRestart: true })

/** Looks, then writes: two steps where there must be one. */
const split: Kind = (clock, schedule) => {
  const held = new Set<string>()
  const sinceMs = clock()
  return {
    knowsSince: () => sinceMs,
    claim: async (id) => {
      const isNew = !held.has(id)
      await schedule("write")
      held.add(id)
      return isNew
    },
  }
}

/** One run: a fleet, its store, its clocks, and how often each envelope counted. */
class Fleet {
  readonly accepted: number[] = ENVELOPES.map(() => 0)
  /** How many counted after a restart. */
  acceptedAfterRestart = 0
  readonly #scheduler: Scheduler
  readonly #kind: Kind
  readonly #startsAnywhere: boolean
  /** How far each clock is ahead, the store's last. */
  readonly #ahead: number[]
  #hasRestarted = false
  #timeSeconds = START_SECONDS
  /** Of the clocks by which messages were read. */
  #furthestAhead = -CLOCK_ERROR
  #store: ReplayStore

  constructor(scheduler: Scheduler, clocks: readonly number[], kind: Kind, startsAnywhere: boolean) {
    this.#scheduler = scheduler
    this.#ahead = [...clocks]
    this.#kind = kind
    this.#startsAnywhere = startsAnywhere
    // the first one is complete: nothing was accepted before it, and older keys are not in play
    this.#store = { claim: kind(this.#storeClock, this.#step).claim }
  }

  readonly #step = (label: string): Promise<void> => this.#scheduler.schedule(Promise.resolve(), label)
  readonly #reading = (clock: number): number => (this.#timeSeconds + (this.#ahead[clock] ?? 0)) * 1000
  readonly #storeClock = (): number => this.#reading(READERS)

  /** The store as the readers see it: a wire, and whatever is at its other end by then. */
  readonly #wire: ReplayStore = {
    knowsSince: () => this.#store.knowsSince?.() ?? 0,
    claim: async (id, expiresAtMs) => {
      await this.#step("question")
      const answer = await this.#store.claim(id, expiresAtMs)
      await this.#step("answer")
      return answer
    },
  }

  async read(reader: number, deliveries: readonly number[]): Promise<void> {
    const guard = createReplayGuard({ store: this.#wire, clock: () => this.#reading(reader), ...TIMES })
    for (const which of deliveries) {
      const envelope = ENVELOPES[which]
      if (!envelope) continue
      await this.#step("arrival")
      this.#furthestAhead = Math.max(this.#furthestAhead, this.#ahead[reader] ?? 0)
      const nowMs = guard.now()
      await this.#step("private key")
      const counts = await guard.admit({ ...envelope, nowMs, keyMadeAtMs: undefined }).then(
        () => true,
        () => false,
      )
      if (!counts) continue
      this.accepted[which] = (this.accepted[which] ?? 0) + 1
      if (this.#hasRestarted) this.acceptedAfterRestart++
    }
  }

  async live(events: readonly Event[]): Promise<void> {
    for (const event of events) {
      await this.#step(event.kind)
      await this.#happen(event)
    }
  }

  async #happen(event: Event): Promise<void> {
    if (event.kind === "time passes") this.#timeSeconds += MINUTE
    else if (event.kind === "clock step") this.#ahead[event.clock] = event.aheadSeconds
    else if (event.kind === "restart") this.#restart(event.aheadSeconds)
    // a memory store drops what has expired when the next claim comes
    else await this.#store.claim(STRANGER_ID, this.#storeClock() + 1).catch(() => false)
  }

  #restart(aheadSeconds: number): void {
    // the model's assumption: CLOCKS_AGREE
    if (!this.#startsAnywhere && aheadSeconds < this.#furthestAhead - CLOCK_ERROR) return
    this.#ahead[READERS] = aheadSeconds
    this.#store = this.#kind(this.#storeClock, this.#step)
    this.#hasRestarted = true
  }
}

interface Options {
  readonly kind: Kind
  /** Restarts need not keep to the model's assumption about clocks. */
  readonly startsAnywhere?: boolean
  readonly onEnd?: (fleet: Fleet) => void
}

/** Every envelope counts at most once, however deliveries and events interleave. */
const countsOnce = ({ kind, startsAnywhere = false, onEnd }: Options) =>
  fc.asyncProperty(
    fc.scheduler(),
    anyClocks,
    anyDeliveries,
    fc.array(anyEvent, { maxLength: 16 }),
    async (scheduler, clocks, deliveries, events) => {
      const fleet = new Fleet(scheduler, clocks, kind, startsAnywhere)
      const readers = deliveries.map((each, reader) => fleet.read(reader, each))
      await scheduler.waitFor(Promise.all([...readers, fleet.live(events)]))
      onEnd?.(fleet)
      expect(Math.max(...fleet.accepted)).toBeLessThanOrEqual(1)
    },
  )

describe("however readers, clocks, purges and restarts interleave", { timeout: TIMEOUT_MS }, () => {
  test("an envelope counts at most once", async () => {
    const counted = { envelopes: 0, afterRestart: 0 }
    const onEnd = (fleet: Fleet): void => {
      counted.envelopes += fleet.accepted.filter((times) => times > 0).length
      counted.afterRestart += fleet.acceptedAfterRestart
    }
    await fc.assert(countsOnce({ kind: built, onEnd }), runs(1000))
    // not a guard that refuses everything
    expect(counted.envelopes).toBeGreaterThan(100)
    expect(counted.afterRestart).toBeGreaterThan(0)
  })

  // too rare to be met at random: what spin finds without the watermark
  test("a copy that was held up while its id was purged does not count", async () => {
    let storeSeconds = START_SECONDS
    const store = memoryStore({ clock: () => storeSeconds * 1000 })
    const guard = createReplayGuard({ store: { claim: store.claim }, ...TIMES })
    const message = {
      claimId: STRANGER_ID,
      issuedAtSeconds: START_SECONDS,
      nowMs: START_SECONDS * 1000,
      keyMadeAtMs: undefined,
    }
    await guard.admit(message)
    storeSeconds += 5 * MINUTE
    await store.claim("U".repeat(43), (storeSeconds + MINUTE) * 1000)
    storeSeconds -= 2 * CLOCK_ERROR
    await expect(guard.admit(message)).rejects.toMatchObject({ code: "ERR_STORE" })
  })

  test.each<[fault: string, options: Options]>([
    ["a store that looks first and writes later", { kind: split }],
    ["a store that forgets and does not say so", { kind: forgetful }],
    [
      "a store that starts by a clock further behind than docs/formal assumes",
      { kind: built, startsAnywhere: true },
    ],
  ])("%s is caught", async (_, options) => {
    const { failed } = await fc.check(countsOnce(options), { numRuns: 10_000, endOnFailure: true })
    expect(failed).toBe(true)
  })
})
