import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { dueSteps, rotationFromMs } from "../../src/key-ring/schedule.ts"
import { type KeyRecord, publishedAt, type RingState, seqAt, stateOf } from "../../src/key-ring/state.ts"
import { destroy, hold, retire, succeed, withKey } from "../../src/key-ring/steps.ts"
import { keepMs, type KeyRingTerms, leadMs, readTerms } from "../../src/key-ring/terms.ts"
import { runs } from "../support/runs.ts"

const terms: KeyRingTerms = readTerms({
  rotateEverySeconds: 1000,
  refreshSeconds: 10,
  pendingSeconds: 50,
  directoryLifetimeSeconds: 60,
  maxAgeSeconds: 20,
  maxSkewSeconds: 5,
  clockErrorSeconds: 1,
})
/** 60 + 20 + 5 + 10 + 2 · 1 s. */
const KEEP_MS = 97_000
const LEAD_MS = 12_000

const key = (kid: string, rest: Partial<KeyRecord> = {}): KeyRecord => ({
  kid,
  createdAtMs: 0,
  activeFromMs: undefined,
  retiredFromMs: undefined,
  destroyFromMs: undefined,
  heldFor: undefined,
  kept: { by: "clear", text: "" },
  ...rest,
})
const ringOf = (...keys: KeyRecord[]): RingState => ({ terms, savedAtMs: 0, changedAtMs: 1, keys })
const kidsAt = (state: RingState, nowMs: number): string[] => publishedAt(state, nowMs).map(({ kid }) => kid)

test("terms add up", () => {
  expect(keepMs(terms)).toBe(KEEP_MS)
  expect(leadMs(terms)).toBe(LEAD_MS)
})

describe("what is due", () => {
  test.each<[string, KeyRecord[], number, number | undefined, string[]]>([
    ["a first key, at once, in an empty ring", [], 5000, 5000, []],
    ["nothing, long before a key's time is over", [key("a", { activeFromMs: 0 })], 949_999, undefined, []],
    [
      "the next key, as long before as it must be known",
      [key("a", { activeFromMs: 0 })],
      950_000,
      1_000_000,
      [],
    ],
    [
      "the next key, as soon as it can be, when all slept",
      [key("a", { activeFromMs: 0 })],
      5_000_000,
      5_050_000,
      [],
    ],
    [
      "nothing, while the next key is planned",
      [key("a", { activeFromMs: 0, retiredFromMs: 1_000_000 }), key("b", { activeFromMs: 1_000_000 })],
      999_000,
      undefined,
      [],
    ],
    ["a key, when all are retired", [key("a", { activeFromMs: 0, retiredFromMs: 10 })], 20, 50_020, []],
    ["a plan for a key that waits alone", [key("a")], 20, 50_020, []],
    [
      "nothing, a moment before a retired key can go",
      [key("a", { activeFromMs: 0, retiredFromMs: 1000 }), key("b", { activeFromMs: 1000 })],
      1000 + KEEP_MS - 1,
      undefined,
      [],
    ],
    [
      "the end of a retired key, once nobody can need it",
      [key("a", { activeFromMs: 0, retiredFromMs: 1000 }), key("b", { activeFromMs: 1000 })],
      1000 + KEEP_MS,
      undefined,
      ["a"],
    ],
    [
      "nothing, for what was promised under longer terms",
      [
        key("a", { activeFromMs: 0, retiredFromMs: 1000, destroyFromMs: 600_000 }),
        key("b", { activeFromMs: 1000 }),
      ],
      599_999,
      undefined,
      [],
    ],
    [
      "nothing, for a key that files need",
      [
        key("a", { activeFromMs: 0, retiredFromMs: 1000, heldFor: "files" }),
        key("b", { activeFromMs: 1000 }),
      ],
      900_000,
      undefined,
      [],
    ],
  ])("is %s", (_, keys, nowMs, nextFromMs, doomed) => {
    expect(dueSteps(ringOf(...keys), nowMs)).toEqual({ nextFromMs, destroy: doomed })
  })

  test("is nothing by a clock that is behind the ring's", () => {
    const state = { ...ringOf(), savedAtMs: 10_000 }
    expect(dueSteps(state, 7999).nextFromMs).toBeUndefined()
    expect(dueSteps(state, 8000).nextFromMs).toBe(8000)
  })

  test("is no rotation where it is left to rotate()", () => {
    const state = { ...ringOf(key("a", { activeFromMs: 0 })), terms: { ...terms, rotateEverySeconds: 0 } }
    expect(dueSteps(state, 9e12).nextFromMs).toBeUndefined()
  })

  test("is no end of keys where it is left to destroy()", () => {
    const keys = [key("a", { activeFromMs: 0, retiredFromMs: 1000 }), key("b", { activeFromMs: 1000 })]
    expect(
      dueSteps({ ...ringOf(...keys), terms: { ...terms, destroyRetired: false } }, 900_000).destroy,
    ).toEqual([])
  })
})

describe("a rotation that is asked for", () => {
  const active = key("a", { activeFromMs: 0 })
  test.each([
    ["waits as long as a new key must be known", ringOf(active), false, 1_050_000],
    ["waits until all servers can know, where it is urgent", ringOf(active), true, 1_000_000 + LEAD_MS],
    [
      "need not wait for a key that was known for long",
      ringOf(active, key("b", { createdAtMs: 1 })),
      false,
      1_012_000,
    ],
    [
      "waits for the rest with a key that came of late",
      ringOf(active, key("b", { createdAtMs: 990_000 })),
      false,
      1_040_000,
    ],
    ["is at once in an empty ring", ringOf(), false, 1_000_000],
  ])("%s", (_, state, urgent, expected) => {
    expect(rotationFromMs(state, 1_000_000, urgent)).toBe(expected)
  })
})

describe("a key that takes over", () => {
  const before = ringOf(key("a", { activeFromMs: 0 }), key("b"))
  const after = succeed(before, "b", 1000)

  test("is published in the moment in which the one before is not", () => {
    expect(kidsAt(after, 999)).toEqual(["a"])
    expect(kidsAt(after, 1000)).toEqual(["b"])
    expect(seqAt(after, 999)).toBe(1)
    expect(seqAt(after, 1000)).toBe(1000)
    expect(after.keys[0]).toMatchObject({ retiredFromMs: 1000, destroyFromMs: 1000 + KEEP_MS })
  })

  test("leaves a key alone that retires earlier", () => {
    const early = ringOf(key("a", { activeFromMs: 0, retiredFromMs: 500 }), key("b"))
    expect(succeed(early, "b", 1000).keys[0]).toEqual(early.keys[0])
  })
})

describe("refusals", () => {
  const pair = ringOf(key("a", { activeFromMs: 0 }), key("b", { activeFromMs: 10 }))
  test("a key that the ring has is not added again", () => {
    expect(() => withKey(pair, key("a"))).toThrow("already has key a")
  })
  test("a key is retired where another one is published, as soon as all servers know", () => {
    expect(kidsAt(pair, 100)).toEqual(["b", "a"])
    const after = retire(pair, "b", 100)
    expect(kidsAt(after, 100 + LEAD_MS - 1)).toEqual(["b", "a"])
    expect(kidsAt(after, 100 + LEAD_MS)).toEqual(["a"])
    expect(() => retire(after, "a", 100)).toThrow("rotate instead")
    expect(() => retire(after, "b", 100)).toThrow("it is retired from 1970-01-01T00:00:12.100Z on")
  })
  test("a key that others make room for is not retired", () => {
    const planned = succeed(ringOf(key("a", { activeFromMs: 0 }), key("b")), "b", 1e6)
    expect(() => retire(planned, "b", 0)).toThrow("rotate instead")
    expect(() => retire(planned, "a", 0)).toThrow("it is retired from")
  })
  test("a key that only waits can be retired", () => {
    expect(retire(ringOf(key("a", { activeFromMs: 0 }), key("b")), "b", 0).keys[1]?.retiredFromMs).toBe(
      LEAD_MS,
    )
  })
  test("a key is destroyed when it is retired, not held, and not needed", () => {
    const retired = ringOf(
      key("a", { activeFromMs: 0, retiredFromMs: 1000 }),
      key("b", { activeFromMs: 1000 }),
    )
    expect(() => destroy(retired, "a", 999, true)).toThrow("it is active, not retired")
    expect(() => destroy(retired, "a", 1000 + KEEP_MS - 1, false)).toThrow(
      "messages to it may be fresh until 1970",
    )
    expect(() => destroy(hold(retired, "a", "files"), "a", 9e9, true)).toThrow("it is held for files")
    expect(destroy(retired, "a", 1000, true).keys.map(({ kid }) => kid)).toEqual(["b"])
    expect(destroy(hold(hold(retired, "a", "files"), "a", undefined), "a", 9e9, false).keys).toHaveLength(1)
    expect(() => destroy(retired, "c", 9e9, true)).toThrow("has no key c")
  })
  test("the end of a key does not set `seq` back", () => {
    const retired = ringOf(key("a", { activeFromMs: 0, retiredFromMs: 5000 }), key("b", { activeFromMs: 10 }))
    expect(seqAt(retired, 200_000)).toBe(5000)
    expect(seqAt(destroy(retired, "a", 200_000, false), 200_000)).toBe(5000)
  })
})

describe("terms", () => {
  test.each([
    [{ refreshSeconds: 0 }, "refreshSeconds"],
    [{ pendingSeconds: 69 }, "pendingSeconds must be at least"],
    [{ modulusBits: 1024 as never }, "modulusBits"],
    [{ directoryLifetimeSeconds: 86_401 }, "directoryLifetimeSeconds"],
  ])("%o are refused", (wrong, message) => {
    expect(() => readTerms(wrong)).toThrow(RangeError)
    expect(() => readTerms(wrong)).toThrow(message)
  })
  test("have no names of their own", () => {
    expect(() => readTerms({ rotateEverySecond: 1 } as never)).toThrow(TypeError)
    expect(() => readTerms({ destroyRetired: 1 as never })).toThrow(TypeError)
  })
  test("have defaults that fit each other", () => {
    expect(readTerms({ refreshSeconds: 3600 }).pendingSeconds).toBe(36_060)
    expect(readTerms({ refreshSeconds: 1, clockErrorSeconds: 3600 }).pendingSeconds).toBe(7201)
  })
})

/** One server at a time looks at the ring, at random moments; some of them rotate, retire, destroy or hold by hand. */
const acts = fc.array(
  fc.record({
    waitMs: fc.integer({ min: 0, max: 400_000 }),
    act: fc.constantFrom("look", "look", "look", "rotate", "urgent", "retire", "destroy", "hold", "release"),
    pick: fc.nat(9),
  }),
  { minLength: 1, maxLength: 60 },
)

interface Played {
  readonly nowMs: number
  readonly before: RingState
  readonly after: RingState
}

function play(list: { waitMs: number; act: string; pick: number }[]): Played[] {
  let state = ringOf()
  let nowMs = 1_000_000
  let made = 0
  const next = (from: RingState, atMs: number): RingState => {
    const kid = `k${++made}`
    return succeed(withKey(from, key(kid, { createdAtMs: nowMs })), kid, atMs)
  }
  return list.map(({ waitMs, act, pick }) => {
    nowMs += waitMs
    const before = state
    const kid = state.keys[pick % Math.max(1, state.keys.length)]?.kid ?? ""
    try {
      const due = dueSteps(state, nowMs)
      for (const doomed of due.destroy) state = destroy(state, doomed, nowMs, false)
      if (due.nextFromMs !== undefined) state = next(state, due.nextFromMs)
      else if (act === "rotate" || act === "urgent") {
        if (state.keys.every(({ activeFromMs = 0 }) => activeFromMs <= nowMs)) {
          state = next(state, rotationFromMs(state, nowMs, act === "urgent"))
        }
      } else if (act === "retire") state = retire(state, kid, nowMs)
      else if (act === "destroy") state = destroy(state, kid, nowMs, false)
      else if (act === "hold") state = hold(state, kid, "files")
      else if (act === "release") state = hold(state, kid, undefined)
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError)
    }
    state = { ...state, savedAtMs: nowMs }
    return { nowMs, before, after: state }
  })
}

describe("whatever happens to a ring", () => {
  test("clients always have a key, every server knows it by then, and its `seq` never falls", () => {
    fc.assert(
      fc.property(acts, (list) => {
        let seq = 0
        for (const { nowMs, before, after } of play(list)) {
          // now, and at every moment that is planned
          const moments = [nowMs, ...after.keys.flatMap((k) => [k.activeFromMs ?? 0, k.retiredFromMs ?? 0])]
          for (const atMs of moments.filter((ms) => ms >= nowMs)) expect(kidsAt(after, atMs)).not.toEqual([])
          for (const { kid, activeFromMs = Infinity } of after.keys) {
            const isNew = !before.keys.some((known) => known.kid === kid)
            if (isNew && before.keys.length > 0) expect(activeFromMs - nowMs).toBeGreaterThanOrEqual(LEAD_MS)
          }
          expect(seqAt(after, nowMs)).toBeGreaterThanOrEqual(seq)
          seq = seqAt(after, nowMs)
        }
      }),
      runs(200),
    )
  })

  test("a server that has not looked since `refreshSeconds` publishes the same, and opens what is sealed by it", () => {
    fc.assert(
      fc.property(acts, fc.nat(10_000), (list, lateMs) => {
        for (const { nowMs, before, after } of play(list)) {
          if (before.keys.length === 0) continue
          expect(kidsAt(before, nowMs + lateMs)).toEqual(kidsAt(after, nowMs + lateMs))
        }
      }),
      runs(200),
    )
  })

  test("no key goes before the last message by the last directory that named it, nor while it is held", () => {
    fc.assert(
      fc.property(acts, (list) => {
        for (const { nowMs, before, after } of play(list)) {
          const gone = before.keys.filter(({ kid }) => !after.keys.some((k) => k.kid === kid))
          for (const { retiredFromMs = Infinity, heldFor } of gone) {
            expect(nowMs - retiredFromMs).toBeGreaterThanOrEqual(85_000)
            expect(heldFor).toBeUndefined()
          }
          for (const kept of before.keys.filter((k) => stateOf(k, nowMs) !== "retired")) {
            expect(after.keys.map(({ kid }) => kid)).toContain(kept.kid)
          }
        }
      }),
      runs(200),
    )
  })
})
