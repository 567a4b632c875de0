import { expect, test } from "vitest"

import { replayStoreContract } from "../../src/contracts/replay-store.ts"
import type { ReplayStore } from "../../src/replay/store.ts"

const START_MS = 1_800_000_000_123
const MANY = "gives each of many ids to one of its copies, in any order"

let nowMs = START_MS
const clockOptions = {
  now: () => nowMs,
  wait: (durationMs: number) => {
    nowMs += durationMs
    return Promise.resolve()
  },
}

interface Faults {
  /** What the store keeps an id under. */
  keyOf?: (id: string, expiresAtMs: number) => string
  /** When it forgets an id. */
  endOf?: (expiresAtMs: number) => number
  acceptsExpired?: boolean
  answer?: (isNew: boolean) => unknown
  readsThenWrites?: boolean
  holdsAtMost?: number
  knowsSince?: () => number
  /** The ids, where handles share them. */
  held?: Map<string, number>
}

/** A store that is right but for the faults asked for. */
function faultyStore(faults: Faults = {}): ReplayStore {
  const {
    keyOf = (id: string): string => id,
    endOf = (endMs: number): number => endMs,
    answer = (isNew: boolean): unknown => isNew,
    held = new Map<string, number>(),
  } = faults
  const claim = async (id: string, expiresAtMs: number): Promise<boolean> => {
    const key = keyOf(id, expiresAtMs)
    const isExpired = expiresAtMs <= nowMs && faults.acceptsExpired !== true
    const isNew = !isExpired && !((held.get(key) ?? -Infinity) > nowMs)
    if (faults.readsThenWrites) await Promise.resolve()
    if (isNew) held.set(key, endOf(expiresAtMs))
    const [oldest] = held.keys()
    if (oldest !== undefined && held.size > (faults.holdsAtMost ?? Infinity)) held.delete(oldest)
    return answer(isNew) as boolean
  }
  return faults.knowsSince ? { claim, knowsSince: faults.knowsSince } : { claim }
}

async function failuresOf(create: () => ReplayStore, reopen?: () => ReplayStore): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of replayStoreContract({ create, ...clockOptions, ...(reopen && { reopen }) })) {
    await run().catch(() => failed.push(name))
  }
  return failed
}

test("passes a store that is right", async () => {
  const held = new Map<string, number>()
  const open = () => faultyStore({ held })
  expect(await failuresOf(open, open)).toEqual([])
})

test("needs no empty store", async () => {
  const store = faultyStore()
  expect(await failuresOf(() => store)).toEqual([])
  expect(await failuresOf(() => store)).toEqual([])
})

const ONE_OF_100 = "gives one of 100 claims at once the id"
const FRACTIONS = "holds an id to the end of its life, fractions of a second included"
const APART = "tells ids apart that share their first 120 bits, or their last"
const SINCE = "says since when it knows, if it may forget, in Unix milliseconds"

test.each<[string, Faults, string[]]>([
  ["reads first and writes later", { readsThenWrites: true }, [ONE_OF_100, MANY]],
  ["holds 1000 ids and evicts the oldest", { holdsAtMost: 1000 }, ["holds 10,000 ids, and forgets none"]],
  [
    "keys ids by their expiry too",
    { keyOf: (id, endMs) => `${id}${endMs}` },
    ["holds an id whatever expiry a later claim comes with", FRACTIONS],
  ],
  ["keeps the first 120 bits only", { keyOf: (id) => id.slice(0, 20) }, [APART]],
  ["keeps the last 120 bits only", { keyOf: (id) => id.slice(-20) }, [APART]],
  [
    "compares without regard to case",
    { keyOf: (id) => id.toLowerCase() },
    ["tells ids apart that differ in the case of letters only"],
  ],
  ["accepts what has expired", { acceptsExpired: true }, ["never accepts an id that has expired"]],
  ["rounds expiries down to seconds", { endOf: (endMs) => endMs - (endMs % 1000) }, [FRACTIONS]],
  [
    "rounds lifetimes down to seconds",
    { endOf: (endMs) => nowMs + Math.floor((endMs - nowMs) / 1000) * 1000 },
    [FRACTIONS],
  ],
  ["tells its start in seconds", { knowsSince: () => START_MS / 1000 }, [SINCE]],
  ["tells a start that is to come", { knowsSince: () => nowMs + 3_600_000 }, [SINCE]],
])("fails a store that %s", async (_, faults, cases) => {
  expect(await failuresOf(() => faultyStore(faults))).toEqual(cases)
})

test.each<[string, (isNew: boolean) => unknown]>([
  ["says true to everything", () => true],
  ["says 1 and 0", (isNew) => (isNew ? 1 : 0)],
  ["says OK and null", (isNew) => (isNew ? "OK" : null)],
  ["says true and undefined", (isNew) => isNew || undefined],
  ["says false to everything", () => false],
])("fails a store that %s, in its first case", async (_, answer) => {
  const failures = await failuresOf(() => faultyStore({ answer }))
  expect(failures).toContain("claims a new id, and never again")
})

test("fails two handles that do not share their ids", async () => {
  const open = () => faultyStore()
  expect(await failuresOf(open, open)).toEqual(["claims an id once through two handles on the same ids"])
})

test("rejects an option that it does not have", () => {
  const options = { create: () => faultyStore(), clock: Date.now }
  expect(() => replayStoreContract(options)).toThrow(TypeError)
})
