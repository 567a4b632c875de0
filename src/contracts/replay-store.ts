/**
 * What every replay store must do, as cases that any test runner can run.
 * docs/protocol.md §4. Uses fresh random ids throughout, so a store that already holds others is as good as an empty one.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { assertOptions } from "../base/options.ts"
import type { ReplayStore } from "../replay/store.ts"
import type { ContractCase } from "./assert.ts"

/** Options of {@link replayStoreContract}. */
export interface ReplayStoreContractOptions {
  /** A store to test, with room for 12,000 ids. Called once per case; may give the same one each time. */
  readonly create: () => ReplayStore | Promise<ReplayStore>
  /** A second handle on the ids of a store that `create` gave. Absent: the cases that need one are left out. */
  readonly reopen?: (store: ReplayStore) => ReplayStore | Promise<ReplayStore>
  /** The store's clock, Unix milliseconds; default the system's. */
  readonly now?: () => number
  /** Lets milliseconds go by on the store's clock; default a timer. Called for less than four seconds in all, more when the machine is busy. */
  readonly wait?: (durationMs: number) => Promise<void>
}

/** What a case gets. */
interface Subject {
  readonly store: ReplayStore
  readonly now: () => number
  readonly wait: (durationMs: number) => Promise<void>
}

type Case = (bench: Subject) => Promise<void>

const LIFE_MS = 120_000

/**
 * The cases that a replay store must pass.
 *
 * A store that reads first and writes later fails them, as does one that evicts, shortens lives or answers loosely.
 * They show nothing about a second process: run some of them from two, where the store is shared.
 *
 * @example
 * ```ts
 * import { memoryStore } from "sealwire/replay"
 * import { createTestClock, replayStoreContract } from "sealwire/testing"
 *
 * const now = createTestClock() // leave it out for a store that has a clock of its own
 * const cases = replayStoreContract({
 *   create: () => memoryStore({ clock: now }), // your store instead
 *   now,
 *   wait: async (durationMs) => now.advance(durationMs),
 * })
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function replayStoreContract(options: ReplayStoreContractOptions): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen", "now", "wait"])
  const { create, reopen, now = Date.now, wait = timer } = options
  const cases = Object.entries(SINGLE_HANDLE).map(([name, run]) => ({
    name,
    run: async () => run({ store: await create(), now, wait }),
  }))
  if (!reopen) return cases
  const name = "claims an id once through two handles on the same ids"
  const run = async (): Promise<void> => {
    const store = await create()
    await claimsOnceThroughTwo({ store, now, wait }, await reopen(store))
  }
  return [...cases, { name, run }]
}

const SINGLE_HANDLE: Readonly<Record<string, Case>> = {
  "claims a new id, and never again": async ({ store, now }) => {
    const id = randomId()
    const expiresAtMs = now() + LIFE_MS
    check(await claim(store, id, expiresAtMs), "a new id was not claimed")
    for (let i = 0; i < 3; i++) {
      check(!(await claim(store, id, expiresAtMs)), "an id was claimed twice")
    }
  },

  "holds an id whatever expiry a later claim comes with": async ({ store, now }) => {
    const id = randomId()
    const expiresAtMs = now() + LIFE_MS
    await claimNew(store, id, expiresAtMs)
    for (const offsetMs of [1, -1000, 1000, 60_000, 3_600_000, 86_400_000]) {
      const answer = await claim(store, id, expiresAtMs + offsetMs)
      check(!answer, `an id was claimed again with an expiry ${offsetMs} ms from the first`)
    }
  },

  "tells ids apart that share their first 120 bits, or their last": async ({ store, now }) => {
    const expiresAtMs = now() + LIFE_MS
    const bytes = randomBytes(32)
    for (const [from, to] of [
      [15, 32],
      [0, 17],
    ] as const) {
      await claimNew(store, encodeBase64url(bytes), expiresAtMs)
      const other = bytes.map((byte, at) => (at < from || at >= to ? byte : byte ^ 0xff))
      await claimNew(store, encodeBase64url(other), expiresAtMs)
      bytes.set(randomBytes(32))
    }
  },

  "tells ids apart that differ in the case of letters only": async ({ store, now }) => {
    // the last character stays: not every letter can end the base64url of 32 bytes
    const id = randomId()
    const other = id.replace(/[a-z](?!$)/gi, (letter) =>
      letter < "a" ? letter.toLowerCase() : letter.toUpperCase(),
    )
    await claimNew(store, id, now() + LIFE_MS)
    await claimNew(store, other, now() + LIFE_MS)
  },

  "gives one of 100 claims at once the id": async ({ store, now }) => {
    const id = randomId()
    const expiresAtMs = now() + LIFE_MS
    const answers = await Promise.all(Array.from({ length: 100 }, () => claim(store, id, expiresAtMs)))
    checkOneTrue(answers)
  },

  "gives each of many ids to one of its copies, in any order": async ({ store, now }) => {
    const expiresAtMs = now() + LIFE_MS
    const ids = Array.from({ length: 50 }, randomId)
    // 7 has no factor in common with 50: neighbours are different ids, and copies lie far apart
    const order = Array.from({ length: 50 * 8 }, (_, i) => (i * 7) % 50)
    const answers = await Promise.all(order.map((which) => claim(store, ids[which] ?? "", expiresAtMs)))
    for (let which = 0; which < 50; which++) checkOneTrue(answers.filter((_, i) => order[i] === which))
  },

  "never accepts an id that has expired": async ({ store, now }) => {
    for (const ageMs of [1, 999, 60_000]) {
      const answer = await claim(store, randomId(), now() - ageMs).catch(() => false)
      check(!answer, `an id was claimed ${ageMs} ms after it had expired`)
    }
  },

  "holds an id to the end of its life, fractions of a second included": async ({ store, now, wait }) => {
    for (let attempt = 0; attempt < 5; attempt++) {
      // rounding either the expiry or the lifetime down to whole seconds now loses 999 ms
      await wait(1000 - (now() % 1000))
      const id = randomId()
      const expiresAtMs = Math.floor(now() / 1000) * 1000 + 1999
      await claimNew(store, id, expiresAtMs)
      await wait(1400)
      const answer = await claim(store, id, expiresAtMs + LIFE_MS)
      // a busy machine may answer too late to tell anything
      if (now() >= expiresAtMs) continue
      check(!answer, "an id was forgotten before it had expired")
      return
    }
    throw new Error("the case took too long to tell, five times: run it on a machine that is less busy")
  },

  "holds 10,000 ids, and forgets none": async ({ store, now }) => {
    const expiresAtMs = now() + LIFE_MS
    const ids = Array.from({ length: 10_000 }, randomId)
    for (const wanted of [true, false]) {
      for (let from = 0; from < ids.length; from += 500) {
        const answers = await Promise.all(
          ids.slice(from, from + 500).map((id) => claim(store, id, expiresAtMs)),
        )
        check(
          answers.every((answer) => answer === wanted),
          wanted ? "a new id was not claimed" : "an id was forgotten",
        )
      }
    }
  },

  "says since when it knows, if it may forget, in Unix milliseconds": async ({ store, now }) => {
    await claimNew(store, randomId(), now() + LIFE_MS)
    if (store.knowsSince === undefined) return
    const sinceMs: unknown = store.knowsSince()
    // 2001 in milliseconds; in seconds it is far away
    const plausible = typeof sinceMs === "number" && sinceMs > 1e12 && sinceMs <= now() + 60_000
    check(plausible, `knowsSince() gave ${String(sinceMs)}, which is not a moment in the past`)
  },
}

async function claimsOnceThroughTwo({ store, now }: Subject, other: ReplayStore): Promise<void> {
  const expiresAtMs = now() + LIFE_MS
  const id = randomId()
  await claimNew(store, id, expiresAtMs)
  check(!(await claim(other, id, expiresAtMs)), "an id was claimed again through a second handle")
  const contested = randomId()
  const handles = Array.from({ length: 100 }, (_, i) => (i % 2 ? store : other))
  checkOneTrue(await Promise.all(handles.map((handle) => claim(handle, contested, expiresAtMs))))
}

/** A claim whose answer must be exactly `true` or `false`: the guard refuses anything else. */
async function claim(store: ReplayStore, id: string, expiresAtMs: number): Promise<boolean> {
  const answer: unknown = await store.claim(id, expiresAtMs)
  if (answer === true || answer === false) return answer
  throw new Error(`claim gave ${String(answer)} (${typeof answer}), which is neither true nor false`)
}

async function claimNew(store: ReplayStore, id: string, expiresAtMs: number): Promise<void> {
  check(await claim(store, id, expiresAtMs), "a new id was not claimed")
}

function checkOneTrue(answers: readonly boolean[]): void {
  const winners = answers.filter((answer) => answer).length
  check(winners === 1, `${winners} of ${answers.length} claims of one id were given it, not 1`)
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

function randomId(): string {
  return encodeBase64url(randomBytes(32))
}

function timer(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
