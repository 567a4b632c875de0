import { randomBytes } from "node:crypto"
import { inspect } from "node:util"

import fc from "fast-check"
import { afterEach, describe, expect, test, vi } from "vitest"

import { processTime } from "../../src/base/clock.ts"
import { replayStoreContract } from "../../src/contracts/replay-store.ts"
import { memoryStore, type MemoryStoreOptions } from "../../src/replay/memory-store.ts"

const START_MS = 1_800_000_000_000
const LIFE_MS = 131_000

const randomId = (): string => randomBytes(32).toString("base64url")
/** 128 zero bits, then `n`. */
const zeroId = (n: number): string =>
  Buffer.concat([Buffer.alloc(30), Buffer.of(n >> 8, n)]).toString("base64url")

/** A store and its clock, which a test sets. */
function storeAt(startMs: number, options: MemoryStoreOptions = {}) {
  const time = { nowMs: startMs }
  return { time, store: memoryStore({ clock: () => time.nowMs, ...options }) }
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

describe("the contract of replay stores", () => {
  const { time, store } = storeAt(START_MS)
  const wait = (durationMs: number) => {
    time.nowMs += durationMs
    return Promise.resolve()
  }
  const cases = replayStoreContract({ create: () => store, reopen: () => store, now: () => time.nowMs, wait })
  for (const { name, run } of cases) test(name, run)
})

describe("ids", () => {
  test("accepts exactly the canonical base64url of 32 bytes", async () => {
    const character = fc.constantFrom(..."AEIMQUYcgkosw048BZaz19-_+/= .~é\u0141\uD83D")
    const nearIds = fc
      .array(character, { minLength: 42, maxLength: 44 })
      .map((characters) => characters.join(""))
    const oneWrong = fc
      .tuple(fc.nat(42), character)
      .map(([at, wrong]) => randomId().replace(/./g, (right, i) => (i === at ? wrong : right)))
    await fc.assert(
      fc.asyncProperty(fc.oneof(nearIds, oneWrong), async (id) => {
        const bytes = Buffer.from(id, "base64url")
        const isId = bytes.length === 32 && bytes.toString("base64url") === id
        const answer = await storeAt(START_MS)
          .store.claim(id, START_MS + 1)
          .catch((error: unknown) => error)
        if (isId) expect(answer).toBe(true)
        else expect(answer).toBeInstanceOf(TypeError)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([undefined, null, 43, new Uint8Array(43), {}, ["a"]])(
    "rejects %s with a TypeError",
    async (id) => {
      await expect(memoryStore().claim(id as string, Date.now() + 1000)).rejects.toThrow(TypeError)
    },
  )

  test("holds an id whose bits are all zero", async () => {
    const { store } = storeAt(START_MS)
    expect(await store.claim(zeroId(0), START_MS + LIFE_MS)).toBe(true)
    expect(await store.claim(zeroId(0), START_MS + LIFE_MS)).toBe(false)
  })

  test("looks at 128 bits of an id", async () => {
    const { store } = storeAt(START_MS)
    expect(await store.claim(zeroId(0), START_MS + LIFE_MS)).toBe(true)
    expect(await store.claim(zeroId(1), START_MS + LIFE_MS)).toBe(false)
    for (let bit = 36; bit < 128; bit += 6) {
      const bytes = Buffer.alloc(32)
      bytes[bit >> 3] = 128 >> (bit & 7)
      // the upper four of every 36 bits are not looked at
      const answer = await store.claim(bytes.toString("base64url"), START_MS + LIFE_MS)
      expect(answer).toBe(bit % 36 !== 0)
    }
  })
})

describe("expiries", () => {
  test.each([NaN, Infinity, -Infinity, 128_849_018_820_001, -8.65e15])(
    "rejects %s with a RangeError",
    async (expiresAtMs) => {
      await expect(memoryStore().claim(randomId(), expiresAtMs)).rejects.toThrow(RangeError)
    },
  )

  test.each([undefined, "1800000000000", 1n, new Date()])(
    "rejects %s with a TypeError",
    async (expiresAtMs) => {
      await expect(memoryStore().claim(randomId(), expiresAtMs as never)).rejects.toThrow(TypeError)
    },
  )

  test("accepts the last moment that it can keep", async () => {
    const { store } = storeAt(START_MS)
    expect(await store.claim(zeroId(0), 128_849_018_820_000)).toBe(true)
    expect(await store.claim(zeroId(0), 128_849_018_820_000)).toBe(false)
  })

  test("refuses an id that has expired, held or not", async () => {
    const { store, time } = storeAt(START_MS)
    const id = randomId()
    await store.claim(id, START_MS + 1000)
    time.nowMs += 1000
    const refusal = { code: "ERR_STORE", message: expect.stringContaining("expired") as string }
    await expect(store.claim(id, START_MS + 1000)).rejects.toMatchObject(refusal)
    await expect(store.claim(randomId(), START_MS + 1000)).rejects.toMatchObject(refusal)
  })

  test.each([1, 60_000, LIFE_MS, 3_600_000, 86_400_000, 31_536_000_000])(
    "holds an id for %s ms, to its last millisecond",
    async (lifeMs) => {
      // no end of a bucket: the expiry is what counts
      const { store, time } = storeAt(START_MS + 12_345)
      const id = randomId()
      const expiresAtMs = time.nowMs + lifeMs
      expect(await store.claim(id, expiresAtMs)).toBe(true)
      time.nowMs = expiresAtMs - 1
      expect(await store.claim(id, expiresAtMs)).toBe(false)
      expect(await store.claim(id, expiresAtMs + LIFE_MS)).toBe(false)
    },
  )

  test("gives an id again after its life, beside others that are held", async () => {
    const { store, time } = storeAt(START_MS)
    const id = randomId()
    await store.claim(id, START_MS + 60_000)
    await store.claim(randomId(), START_MS + LIFE_MS)
    time.nowMs += 60_000
    expect(await store.claim(id, time.nowMs + LIFE_MS)).toBe(true)
    expect(await store.claim(id, time.nowMs + LIFE_MS)).toBe(false)
  })

  test("refuses for ever what expires before the end of a dropped bucket, as the clock may step back", async () => {
    const { store, time } = storeAt(START_MS)
    const id = randomId()
    const expiresAtMs = START_MS + LIFE_MS
    await store.claim(id, expiresAtMs)
    time.nowMs += 600_000
    await store.claim(randomId(), time.nowMs + LIFE_MS)
    time.nowMs = START_MS
    await expect(store.claim(id, expiresAtMs)).rejects.toMatchObject({
      code: "ERR_STORE",
      message: expect.stringContaining("clock was set back") as string,
    })
    await expect(store.claim(randomId(), expiresAtMs)).rejects.toMatchObject({ code: "ERR_STORE" })
    expect(await store.claim(randomId(), expiresAtMs + 600_000)).toBe(true)
  })

  test.each([NaN, Infinity, -Infinity])("refuses while the clock says %s", async (nowMs) => {
    const { store, time } = storeAt(START_MS)
    time.nowMs = nowMs
    await expect(store.claim(randomId(), START_MS)).rejects.toMatchObject({ code: "ERR_STORE" })
  })
})

describe("capacity", () => {
  test("refuses when full, evicts nothing, and says when there is room", async () => {
    const { store, time } = storeAt(START_MS, { maxEntries: 100 })
    const ids = Array.from({ length: 100 }, randomId)
    for (const id of ids) expect(await store.claim(id, START_MS + LIFE_MS)).toBe(true)
    const refusal = await store.claim(randomId(), START_MS + LIFE_MS).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: "ERR_STORE_FULL" })
    for (const id of ids) expect(await store.claim(id, START_MS + LIFE_MS)).toBe(false)
    time.nowMs += (refusal as { retryAfterSeconds: number }).retryAfterSeconds * 1000
    expect(time.nowMs).toBeLessThanOrEqual(START_MS + LIFE_MS + 60_000)
    expect(await store.claim(randomId(), time.nowMs + LIFE_MS)).toBe(true)
  })

  test("counts what is left when the first of several buckets goes", async () => {
    const { store, time } = storeAt(START_MS, { maxEntries: 3 })
    await store.claim(randomId(), START_MS + 50_000)
    const last = randomId()
    await store.claim(last, START_MS + 170_000)
    await store.claim(randomId(), START_MS + 110_000)
    time.nowMs += 60_000
    expect(await store.claim(randomId(), time.nowMs + 1000)).toBe(true)
    await expect(store.claim(randomId(), time.nowMs + 1000)).rejects.toMatchObject({
      code: "ERR_STORE_FULL",
      retryAfterSeconds: 60,
    })
    expect(await store.claim(last, time.nowMs + 1000)).toBe(false)
  })

  test("gives the room of expired ids to new ones", async () => {
    const sizes: number[] = []
    vi.stubGlobal(
      "Int32Array",
      class extends Int32Array {
        constructor(length: number) {
          super(length)
          sizes.push(length)
        }
      },
    )
    const { store, time } = storeAt(START_MS, { maxEntries: 10_000 })
    for (let i = 0; i < 60_000; i++) {
      time.nowMs += 20
      expect(await store.claim(randomId(), time.nowMs + 60_000)).toBe(true)
    }
    // at most two minutes of ids are held, 6000; half of the slots of 5 words are free
    expect(Math.max(...sizes)).toBeGreaterThan(20_000)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6000 * 2 * 5)
  })

  test("holds 30,000 ids while its tables grow", async () => {
    const { store } = storeAt(START_MS)
    const ids = Array.from({ length: 30_000 }, randomId)
    let claimed = 0
    for (const id of ids) if (await store.claim(id, START_MS + LIFE_MS)) claimed++
    expect(claimed).toBe(30_000)
    for (const id of ids) if (await store.claim(id, START_MS + LIFE_MS)) claimed++
    expect(claimed).toBe(30_000)
  })
})

test("gives no id twice before it expires, however the clock steps", async () => {
  const steps = fc.oneof(fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: -300_000, max: 300_000 }))
  const claims = fc.record({
    which: fc.nat(5),
    lifeMs: fc.oneof(fc.integer({ min: -5, max: 400_000 }), fc.integer({ min: 0, max: 100_000_000 })),
    again: fc.boolean(),
    stepMs: fc.oneof(fc.constant(0), steps),
  })
  const ids = Array.from({ length: 6 }, randomId)
  await fc.assert(
    fc.asyncProperty(fc.array(claims, { maxLength: 60 }), async (sequence) => {
      const { store, time } = storeAt(START_MS)
      const latest = new Map<number, number>()
      const accepted = new Set<string>()
      let highestMs = START_MS
      for (const { which, lifeMs, again, stepMs } of sequence) {
        time.nowMs += stepMs
        highestMs = Math.max(highestMs, time.nowMs)
        const heldUntilMs = latest.get(which)
        // the same expiry again, as in a replay, or another one
        const expiresAtMs = (again ? heldUntilMs : undefined) ?? time.nowMs + lifeMs
        const answer = await store.claim(ids[which] ?? "", expiresAtMs).catch(() => "refused")
        const pair = `${which} ${expiresAtMs}`
        if (expiresAtMs <= time.nowMs) expect(answer).toBe("refused")
        else if (expiresAtMs > highestMs) {
          if (heldUntilMs === undefined) expect(answer).toBe(true)
          else if (heldUntilMs > highestMs) expect(answer).toBe(false)
        }
        if (answer !== true) continue
        expect(accepted).not.toContain(pair)
        accepted.add(pair)
        latest.set(which, Math.max(expiresAtMs, heldUntilMs ?? -Infinity))
      }
    }),
    { numRuns: 1000 },
  )
})

describe("the restart rule", () => {
  test("knows since it was made, by the given clock or by the time of the process", () => {
    const { store, time } = storeAt(START_MS)
    time.nowMs += 5000
    expect(store.knowsSince?.()).toBe(START_MS)
    const sinceMs = memoryStore().knowsSince?.()
    // no guard has admitted anything here: see history.test.ts
    expect(sinceMs).toBeGreaterThanOrEqual(performance.timeOrigin)
    expect(sinceMs).toBeLessThanOrEqual(processTime())
  })

  test("knows since it was first asked, where the clock stood at 0 when it was made", () => {
    const { store, time } = storeAt(0)
    time.nowMs = START_MS
    expect(store.knowsSince?.()).toBe(START_MS)
    time.nowMs += 5000
    expect(store.knowsSince?.()).toBe(START_MS)
  })

  test("is left out where dangerouslyForgetOnRestart is set", async () => {
    const store = memoryStore({ dangerouslyForgetOnRestart: true })
    expect(store.knowsSince).toBeUndefined()
    expect(await store.claim(randomId(), Date.now() + 1000)).toBe(true)
  })

  test("cannot be left out in production", () => {
    vi.stubEnv("NODE_ENV", "production")
    expect(() => memoryStore({ dangerouslyForgetOnRestart: true })).toThrow(TypeError)
    expect(() => memoryStore({ dangerouslyForgetOnRestart: false })).not.toThrow()
  })

  test("can be left out where there is no process", () => {
    vi.stubGlobal("process", undefined)
    const store = memoryStore({ dangerouslyForgetOnRestart: true })
    vi.unstubAllGlobals()
    expect(store.knowsSince).toBeUndefined()
  })
})

describe("options", () => {
  test.each([0, -1, 1.5, 2 ** 30 + 1, NaN, "10"])("rejects maxEntries %s", (maxEntries) => {
    expect(() => memoryStore({ maxEntries: maxEntries as number })).toThrow(RangeError)
  })

  test.each([
    { maxEntry: 1 },
    { clock: 5 as unknown as () => number },
    { dangerouslyForgetOnRestart: "yes" as unknown as boolean },
  ])("rejects %o", (options) => {
    expect(() => memoryStore(options)).toThrow(TypeError)
  })

  test("holds a million ids unless told otherwise, and takes memory as they come", async () => {
    const before = process.memoryUsage().arrayBuffers
    const stores = Array.from({ length: 10 }, () => memoryStore())
    for (const store of stores) await store.claim(randomId(), Date.now() + 1000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000)
  })
})

test("shows none of its ids to inspect", async () => {
  const { store } = storeAt(START_MS)
  await store.claim(zeroId(0), START_MS + LIFE_MS)
  const shown = inspect(store, { depth: Infinity, showHidden: true, getters: true })
  expect(shown).not.toMatch(/Int32Array|secret|buckets|words/)
  expect(JSON.stringify(store)).toBe("{}")
})
