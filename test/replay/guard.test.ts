import { describe, expect, test, vi } from "vitest"

import { SealwireError } from "../../src/base/errors.ts"
import {
  type Admission,
  createReplayGuard,
  dangerouslyAcceptReplays,
  type ReplayEvent,
  type ReplayGuardOptions,
} from "../../src/replay/guard.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import { NOW_SECONDS } from "../support/forge.ts"
import { errorOf } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"

const CLAIM_ID = "A".repeat(43)

/** A message that came this many seconds after it was sent. */
const messageAged = (ageSeconds: number, rest: Partial<Admission> = {}): Admission => ({
  claimId: CLAIM_ID,
  issuedAtSeconds: NOW_SECONDS - ageSeconds,
  nowMs: NOW_SECONDS * 1000,
  keyMadeAtMs: undefined,
  ...rest,
})

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "OK",
    (error: unknown) => (error as SealwireError).code,
  )

const guarding = (claim: ReplayStore["claim"], options: Partial<ReplayGuardOptions> = {}) =>
  createReplayGuard({ store: { claim }, ...options })

describe("freshness", () => {
  test.each([
    [119, "OK"],
    [120, "OK"],
    [120.999, "OK"],
    [121, "ERR_STALE"],
    [122, "ERR_STALE"],
    [0, "OK"],
    [-29, "OK"],
    [-30, "OK"],
    [-30.001, "ERR_STALE"],
    [-31, "ERR_STALE"],
    [86_400, "ERR_STALE"],
    [Infinity, "ERR_STALE"],
    [NaN, "ERR_STALE"],
  ])("by default, a message that is %d s old: %s", async (ageSeconds, code) => {
    const nowMs = (NOW_SECONDS + ageSeconds) * 1000
    const store = spyStore()
    expect(await codeOf(createReplayGuard({ store }).admit(messageAged(0, { nowMs })))).toBe(code)
    expect(store.claims).toHaveLength(code === "OK" ? 1 : 0)
  })

  test.each([
    [1, 0, 1, "OK"],
    [1, 0, 2, "ERR_STALE"],
    [1, 0, -1, "ERR_STALE"],
    [86_400, 3600, -3600, "OK"],
    [86_400, 3600, -3601, "ERR_STALE"],
    [31_536_000, 0, 31_536_000, "OK"],
    [31_536_000, 0, 31_536_001, "ERR_STALE"],
  ])(
    "with maxAgeSeconds %i and maxSkewSeconds %i, a message of %i s: %s",
    async (maxAge, maxSkew, age, code) => {
      const guard = createReplayGuard({ store: spyStore(), maxAgeSeconds: maxAge, maxSkewSeconds: maxSkew })
      expect(await codeOf(guard.admit(messageAged(age)))).toBe(code)
    },
  )

  test.each([
    [121, "121 s old, above 120"],
    [-31, "31 s ahead, above 30"],
  ])("says how far a message of %i s is outside the window", async (ageSeconds, reason) => {
    const guard = createReplayGuard({ store: spyStore() })
    await expect(guard.admit(messageAged(ageSeconds))).rejects.toThrow(reason)
  })

  test.each([
    [0, true],
    [86_400, true],
    [86_401, false],
    [-86_400, true],
    [-86_400.001, false],
    [NaN, false],
    [Infinity, false],
  ])("calls a message that is %d s away near: %s", (ageSeconds, near) => {
    const guard = createReplayGuard({ store: spyStore() })
    expect(guard.isNear(NOW_SECONDS, (NOW_SECONDS + ageSeconds) * 1000)).toBe(near)
  })

  test("calls near whatever its window still takes, to the last millisecond", () => {
    const guard = createReplayGuard({ store: spyStore(), maxAgeSeconds: 200_000 })
    expect(guard.isNear(NOW_SECONDS, (NOW_SECONDS + 200_000) * 1000 + 999)).toBe(true)
    expect(guard.isNear(NOW_SECONDS, (NOW_SECONDS + 200_001) * 1000)).toBe(false)
  })
})

describe("claims", () => {
  test("keep an id for the whole window, the second of iat, and twice the clocks' error", async () => {
    for (const ageSeconds of [0, 120, -30]) {
      const store = spyStore()
      const options = { maxAgeSeconds: 300, maxSkewSeconds: 40, clockErrorSeconds: 7 }
      await createReplayGuard({ store, ...options })
        .admit(messageAged(ageSeconds))
        .catch(() => undefined)
      const issuedAtSeconds = NOW_SECONDS - ageSeconds
      expect(store.claims).toEqual([{ id: CLAIM_ID, expiresAtMs: (issuedAtSeconds + 1 + 300 + 14) * 1000 }])
    }
  })

  test("count a message once", async () => {
    const guard = createReplayGuard({ store: spyStore() })
    expect(await codeOf(guard.admit(messageAged(0)))).toBe("OK")
    expect(await codeOf(guard.admit(messageAged(0)))).toBe("ERR_REPLAYED")
    expect(await codeOf(guard.admit(messageAged(0, { claimId: "B".repeat(43) })))).toBe("OK")
  })

  test.each<[name: string, answer: unknown]>([
    ["1", 1],
    ["0", 0],
    ['"true"', "true"],
    ['"OK"', "OK"],
    ["nothing", undefined],
    ["null", null],
    ["an object", {}],
    ["an array with true", [true]],
    ["a Boolean object", Object(true)],
    ["NaN", NaN],
    ["a function", () => true],
  ])("refuse when the store answers %s", async (_, answer) => {
    for (const claim of [() => answer, () => Promise.resolve(answer)]) {
      const error = await errorOf(guarding(claim as ReplayStore["claim"]).admit(messageAged(0)))
      expect(error).toBeInstanceOf(SealwireError)
      expect(error).toMatchObject({
        code: "ERR_STORE",
        message: expect.stringContaining("nothing was accepted") as string,
      })
    }
  })

  test.each<[name: string, thrown: unknown]>([
    ["an error", new Error("connection lost")],
    ["text", "connection lost"],
    ["nothing", undefined],
    ["null", null],
    ["an error with a code of ours", Object.assign(new Error("x"), { code: "ERR_REPLAYED" })],
  ])("refuse when the store throws %s, at once or later, and keep the cause", async (_, thrown) => {
    for (const claim of [
      () => {
        throw thrown
      },
      () => Promise.reject(thrown),
    ]) {
      const error = await errorOf(guarding(claim).admit(messageAged(0)))
      expect(error).toBeInstanceOf(SealwireError)
      expect(error).toMatchObject({ code: "ERR_STORE" })
      expect((error as Error).cause).toBe(thrown)
    }
  })

  test("pass on what a store of this library says itself", async () => {
    const full = new SealwireError("ERR_STORE_FULL", "full", { retryAfterSeconds: 9 })
    expect(await errorOf(guarding(() => Promise.reject(full)).admit(messageAged(0)))).toBe(full)
  })

  test("refuse when the store is too slow, and take no late answer for a new one", async () => {
    vi.useFakeTimers()
    try {
      const held = new Set<string>()
      const answers: (() => void)[] = []
      const claim = (id: string): Promise<boolean> => {
        const isNew = !held.has(id)
        held.add(id)
        return new Promise((resolve) =>
          answers.push(() => {
            resolve(isNew)
          }),
        )
      }
      const guard = guarding(claim, { storeTimeoutMs: 50 })
      const first = errorOf(guard.admit(messageAged(0)))
      await vi.advanceTimersByTimeAsync(50)
      expect(await first).toMatchObject({
        code: "ERR_STORE",
        message: expect.stringContaining("within 50 ms") as string,
      })
      answers[0]?.()
      const second = codeOf(guard.admit(messageAged(0)))
      answers[1]?.()
      expect(await second).toBe("ERR_REPLAYED")
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test("set no timer for a store that answers at once", async () => {
    const setTimer = vi.spyOn(globalThis, "setTimeout")
    try {
      await guarding(() => Promise.resolve(true)).admit(messageAged(0))
      expect(await codeOf(guarding(() => Promise.resolve(false)).admit(messageAged(0)))).toBe("ERR_REPLAYED")
      expect(setTimer).not.toHaveBeenCalled()
    } finally {
      setTimer.mockRestore()
    }
  })

  test("leave no timer and no unhandled rejection behind, whatever a store does after its time", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const late = guarding(() => new Promise((_, reject) => setTimeout(reject, 20, new Error("late"))), {
      storeTimeoutMs: 1,
    })
    expect(await codeOf(late.admit(messageAged(0)))).toBe("ERR_STORE")
    await new Promise((resolve) => setTimeout(resolve, 40))
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe("the restart rule", () => {
  const knowsSince = (secondsAgo: number): Partial<ReplayStore> => ({
    knowsSince: () => (NOW_SECONDS - secondsAgo) * 1000,
  })

  test.each([
    [60, 26, "ERR_QUARANTINED"],
    [60, 25, "ERR_QUARANTINED"],
    [60, 24, "OK"],
    [35, 0, "ERR_QUARANTINED"],
    [36, 0, "OK"],
    [0, -30, "ERR_QUARANTINED"],
    [6, -29, "ERR_QUARANTINED"],
    [6, -30, "OK"],
  ])(
    "for a store that knows what came in %i s, a message of %i s: %s",
    async (secondsAgo, ageSeconds, code) => {
      const store = spyStore(knowsSince(secondsAgo))
      expect(await codeOf(createReplayGuard({ store }).admit(messageAged(ageSeconds)))).toBe(code)
      // before the claim: a message that only came too early is not used up
      expect(store.claims).toHaveLength(code === "OK" ? 1 : 0)
    },
  )

  test("says after how many seconds a message is accepted again, and why", async () => {
    const guard = createReplayGuard({ store: spyStore(knowsSince(10)) })
    const error = await errorOf(guard.admit(messageAged(0)))
    expect(error).toMatchObject({ code: "ERR_QUARANTINED", retryAfterSeconds: 26 })
    expect((error as Error).message).toContain("in 26 s")
    const nowMs = (NOW_SECONDS + 26) * 1000
    expect(await codeOf(guard.admit({ ...messageAged(-26), nowMs }))).toBe("OK")
  })

  test("counts stale before quarantined, so that an old message is not asked for again", async () => {
    const guard = createReplayGuard({ store: spyStore(knowsSince(0)) })
    expect(await codeOf(guard.admit(messageAged(121)))).toBe("ERR_STALE")
  })

  test("exempts keys made after the store began, and no older ones", async () => {
    const sinceMs = NOW_SECONDS * 1000
    const made = async (keyMadeAtMs: number | undefined): Promise<string> =>
      codeOf(
        createReplayGuard({ store: spyStore({ knowsSince: () => sinceMs }) }).admit(
          messageAged(0, { keyMadeAtMs }),
        ),
      )
    expect(await made(sinceMs + 0.001)).toBe("OK")
    expect(await made(sinceMs)).toBe("ERR_QUARANTINED")
    expect(await made(sinceMs - 1)).toBe("ERR_QUARANTINED")
    expect(await made(undefined)).toBe("ERR_QUARANTINED")
  })

  test("quarantines when a store learns of its loss by the very claim", async () => {
    let sinceMs = 0
    const claim = (): Promise<boolean> => {
      sinceMs = NOW_SECONDS * 1000
      return Promise.resolve(true)
    }
    const guard = createReplayGuard({ store: { claim, knowsSince: () => sinceMs } })
    expect(await codeOf(guard.admit(messageAged(0)))).toBe("ERR_QUARANTINED")
  })

  test.each<[name: string, knowsSince: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("away")
      },
    ],
    ["answers nothing", () => undefined],
    ["answers null", () => null],
    ["answers NaN", () => NaN],
    ["answers text", () => "0"],
    ["answers a date", () => new Date(0)],
    ["answers a promise", () => Promise.resolve(0)],
  ])("refuses when the store cannot say what it knows: it %s", async (_, odd) => {
    const store = spyStore({ knowsSince: odd as () => number })
    const error = await errorOf(createReplayGuard({ store }).admit(messageAged(0)))
    expect(error).toBeInstanceOf(SealwireError)
    expect(error).toMatchObject({ code: "ERR_STORE" })
    expect(store.claims).toEqual([])
  })
})

describe("the times of a store", () => {
  test.each([
    { maxAgeSeconds: 121 },
    { maxAgeSeconds: 119 },
    { maxSkewSeconds: 31 },
    { clockErrorSeconds: 6 },
  ])("cannot be changed by a second guard: %o", (options) => {
    const store = spyStore()
    createReplayGuard({ store })
    expect(() => createReplayGuard({ store, ...options })).toThrow(RangeError)
    expect(() => createReplayGuard({ store })).not.toThrow()
    expect(() => createReplayGuard({ store, storeTimeoutMs: 1, mode: "observe" })).not.toThrow()
  })

  test("are not taken by a guard that was refused", () => {
    const store = spyStore()
    expect(() => createReplayGuard({ store, maxAgeSeconds: 5, mode: "off" as "observe" })).toThrow(RangeError)
    expect(() => createReplayGuard({ store })).not.toThrow()
  })
})

describe("observing", () => {
  test("refuses nothing and reports what would have been refused", async () => {
    const events: ReplayEvent[] = []
    const store = spyStore()
    const guard = createReplayGuard({ store, mode: "observe", onEvent: (event) => events.push(event) })
    await guard.admit(messageAged(0))
    await guard.admit(messageAged(0))
    await guard.admit(messageAged(500))
    await guard.admit(messageAged(-500))
    expect(events).toEqual([
      { outcome: "accepted", code: undefined, claimId: CLAIM_ID, ageSeconds: 0 },
      { outcome: "observed", code: "ERR_REPLAYED", claimId: CLAIM_ID, ageSeconds: 0 },
      { outcome: "observed", code: "ERR_STALE", claimId: CLAIM_ID, ageSeconds: 500 },
      { outcome: "observed", code: "ERR_STALE", claimId: CLAIM_ID, ageSeconds: -500 },
    ])
    expect(guard.isNear(0, NOW_SECONDS * 1000)).toBe(true)
  })

  test.each<[name: string, store: ReplayStore, code: string]>([
    ["a store that throws", { claim: () => Promise.reject(new Error("away")) }, "ERR_STORE"],
    ["a store that answers oddly", { claim: () => Promise.resolve(1 as unknown as boolean) }, "ERR_STORE"],
    ["a store that forgot", spyStore({ knowsSince: () => NOW_SECONDS * 1000 }), "ERR_QUARANTINED"],
  ])("passes a message by %s, and says so", async (_, store, code) => {
    const onEvent = vi.fn()
    const guard = createReplayGuard({ store, mode: "observe", onEvent })
    await guard.admit(messageAged(0))
    expect(onEvent).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ outcome: "observed", code }))
  })
})

describe("events", () => {
  test("tell of each decision once, with nothing but a hash and an age", async () => {
    const onEvent = vi.fn()
    const guard = createReplayGuard({ store: spyStore(), onEvent })
    await guard.admit(messageAged(3))
    await codeOf(guard.admit(messageAged(3)))
    expect(onEvent.mock.calls).toEqual([
      [{ outcome: "accepted", code: undefined, claimId: CLAIM_ID, ageSeconds: 3 }],
      [{ outcome: "refused", code: "ERR_REPLAYED", claimId: CLAIM_ID, ageSeconds: 3 }],
    ])
  })

  test.each([
    [
      "throws",
      () => {
        throw new Error("metrics are away")
      },
    ],
    ["rejects", () => Promise.reject(new Error("metrics are away"))],
  ])("decide nothing when their receiver %s", async (_, onEvent) => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const guard = createReplayGuard({ store: spyStore(), onEvent: onEvent })
    expect(await codeOf(guard.admit(messageAged(0)))).toBe("OK")
    expect(await codeOf(guard.admit(messageAged(0)))).toBe("ERR_REPLAYED")
    await new Promise((resolve) => setImmediate(resolve))
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe("options", () => {
  const store = spyStore()

  test.each<[name: string, options: unknown, error: typeof TypeError | typeof RangeError, names: string]>([
    ["nothing", undefined, TypeError, "options"],
    ["null", null, TypeError, "options"],
    ["no store", {}, TypeError, "options.store"],
    ["a store without claim", { store: new Map() }, TypeError, "options.store"],
    ["an unknown name", { store, maxAge: 5 }, TypeError, "maxAge"],
    ["a maxAgeSeconds of 0", { store, maxAgeSeconds: 0 }, RangeError, "maxAgeSeconds"],
    ["a maxAgeSeconds above a year", { store, maxAgeSeconds: 31_536_001 }, RangeError, "maxAgeSeconds"],
    ["a fraction", { store, maxAgeSeconds: 1.5 }, RangeError, "maxAgeSeconds"],
    ["a number as text", { store, maxAgeSeconds: "120" }, RangeError, "maxAgeSeconds"],
    ["an infinite window", { store, maxAgeSeconds: Infinity }, RangeError, "maxAgeSeconds"],
    ["a negative skew", { store, maxSkewSeconds: -1 }, RangeError, "maxSkewSeconds"],
    ["a skew above an hour", { store, maxSkewSeconds: 3601 }, RangeError, "maxSkewSeconds"],
    ["a NaN", { store, clockErrorSeconds: NaN }, RangeError, "clockErrorSeconds"],
    ["a time-out of 0", { store, storeTimeoutMs: 0 }, RangeError, "storeTimeoutMs"],
    ["a time-out above a minute", { store, storeTimeoutMs: 60_001 }, RangeError, "storeTimeoutMs"],
    ["another mode", { store, mode: "off" }, RangeError, "mode"],
    ["a clock that is a number", { store, clock: 5 }, TypeError, "clock"],
    ["a receiver of events that is text", { store, onEvent: "log" }, TypeError, "onEvent"],
  ])("are refused at once: %s", (_, options, error, names) => {
    const create = (): unknown => createReplayGuard(options as ReplayGuardOptions)
    expect(create).toThrow(error)
    expect(create).toThrow(names)
  })
})

test("the loud way out accepts everything, always", async () => {
  expect(dangerouslyAcceptReplays.isNear(0, NOW_SECONDS * 1000)).toBe(true)
  await dangerouslyAcceptReplays.admit(messageAged(1e9))
  await dangerouslyAcceptReplays.admit(messageAged(1e9))
  expect(Math.abs(dangerouslyAcceptReplays.now() - Date.now())).toBeLessThan(60_000)
})
