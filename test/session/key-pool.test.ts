import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import type { Backend, GeneratedPair, UnwrapHandle } from "../../src/crypto/backend.ts"
import { createKeyPool, type KeyPool } from "../../src/session.ts"

const pair = await backend.generateRsa(2048, false)

/** A backend that makes a pair when it is told to. */
function slowBackend(): Backend & {
  readonly asked: () => number
  finish(): Promise<void>
  fail(): Promise<void>
} {
  const waiting: PromiseWithResolversLike[] = []
  let asked = 0
  const settle = async (how: (each: PromiseWithResolversLike) => void): Promise<void> => {
    const next = waiting.shift()
    if (next) how(next)
    // importing the public key and hashing its name take turns of their own
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    ...backend,
    generateRsa: () => {
      asked++
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    asked: () => asked,
    finish: () => settle(({ resolve }) => resolve(pair)),
    fail: () => settle(({ reject }) => reject(new Error("no entropy"))),
  }
}
interface PromiseWithResolversLike {
  resolve(pair: GeneratedPair<UnwrapHandle>): void
  reject(error: Error): void
}

const pools: KeyPool[] = []
/** Without rest between pairs, unless told otherwise. */
function create(options: Parameters<typeof createKeyPool>[0]): KeyPool {
  const pool = createKeyPool({ share: 1, ...options })
  pools.push(pool)
  return pool
}
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close()
})

describe("a key pool", () => {
  it("keeps 64 pairs ready unless it is told otherwise", () => {
    expect(create({ backend: slowBackend() }).size).toBe(64)
  })

  it("fills in the background, one pair at a time, to its size and no further", async () => {
    const slow = slowBackend()
    const depths: number[] = []
    const pool = create({ size: 2, backend: slow, onDepth: (depth) => depths.push(depth) })
    expect([slow.asked(), pool.depth]).toEqual([1, 0])
    await slow.finish()
    expect([slow.asked(), pool.depth]).toEqual([2, 1])
    await slow.finish()
    expect([slow.asked(), pool.depth]).toEqual([2, 2])
    expect(depths).toEqual([1, 2])
  })

  it("gives what is there, refills, and never makes a pair for the one who asks", async () => {
    const slow = slowBackend()
    const pool = create({ size: 1, backend: slow })
    const refusal = { code: "ERR_KEY_UNAVAILABLE", retryAfterSeconds: 1 }
    expect(() => pool.take()).toThrow(expect.objectContaining(refusal))
    expect(slow.asked()).toBe(1)
    await slow.finish()
    expect(pool.take().privateKey.modulusBits).toBe(2048)
    expect([slow.asked(), pool.depth]).toEqual([2, 0])
  })

  it("takes back what nobody has seen", async () => {
    const slow = slowBackend()
    const pool = create({ size: 1, backend: slow })
    await slow.finish()
    const taken = pool.take()
    pool.putBack(taken)
    expect(pool.take()).toBe(taken)
  })

  it("tells those who wait of a pair that comes back", async () => {
    const slow = slowBackend()
    const pool = create({ size: 1, backend: slow })
    await slow.finish()
    const taken = pool.take()
    const ready = pool.ready()
    pool.putBack(taken)
    await ready
    expect(pool.depth).toBe(1)
  })

  it("tries again for who is told of a failure and asks at once", async () => {
    const slow = slowBackend()
    const pool = create({ size: 1, backend: slow })
    const ready = pool.ready().catch(() => pool.ready())
    await slow.fail()
    expect(slow.asked()).toBe(2)
    await slow.finish()
    await ready
    expect(pool.depth).toBe(1)
  })

  it.each([1, 2, 3])("replaces a pair that is taken %d turns after it was made", async (turns) => {
    const slow = slowBackend()
    const pool = create({ size: 1, backend: slow })
    let taken: Promise<unknown> = pool.ready()
    for (let i = 1; i < turns; i++) taken = taken.then(() => undefined)
    taken = taken.then(() => pool.take())
    await slow.finish()
    await taken
    expect(slow.asked()).toBe(2)
  })

  it("tells when it is ready, and tells of a failure, after which it goes on when it is needed", async () => {
    const slow = slowBackend()
    const pool = create({ size: 2, backend: slow })
    const ready = pool.ready(1)
    await slow.finish()
    await ready
    const both = pool.ready()
    const failed = expect(both).rejects.toThrow("no entropy")
    await slow.fail()
    await failed
    expect(slow.asked()).toBe(2)
    pool.take()
    expect(slow.asked()).toBe(3)
  })

  it("makes no more once it is closed", async () => {
    const slow = slowBackend()
    const pool = create({ size: 3, backend: slow })
    const waiting = expect(pool.ready()).rejects.toMatchObject({ code: "ERR_KEY_UNAVAILABLE" })
    pool.close()
    await waiting
    await slow.finish()
    expect([slow.asked(), pool.depth]).toEqual([1, 1])
  })

  describe("with a share of a core", () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    /** Finishes a pair that took so long. */
    async function finishAfter(slow: ReturnType<typeof slowBackend>, tookMs: number): Promise<void> {
      vi.advanceTimersByTime(tookMs)
      await slow.finish()
    }

    it("rests after each pair, half of the time unless it is told otherwise", async () => {
      const slow = slowBackend()
      const pool = createKeyPool({ size: 4, backend: slow })
      pools.push(pool)
      await finishAfter(slow, 200)
      expect(pool.depth).toBe(1)
      await vi.advanceTimersByTimeAsync(199)
      expect(slow.asked()).toBe(1)
      await vi.advanceTimersByTimeAsync(1)
      expect(slow.asked()).toBe(2)
    })

    it("rests by the mean of what pairs took, so that it makes as many where one is slow", async () => {
      const slow = slowBackend()
      create({ size: 4, share: 0.25, backend: slow })
      await finishAfter(slow, 100)
      await vi.advanceTimersByTimeAsync(300)
      await finishAfter(slow, 300)
      await vi.advanceTimersByTimeAsync(599)
      expect(slow.asked()).toBe(2)
      await vi.advanceTimersByTimeAsync(1)
      expect(slow.asked()).toBe(3)
    })

    it("tells who finds it empty how long the next pair takes with its rest", async () => {
      const slow = slowBackend()
      const pool = create({ size: 1, share: 0.1, backend: slow })
      await finishAfter(slow, 700)
      pool.take()
      expect(() => pool.take()).toThrow(expect.objectContaining({ retryAfterSeconds: 7 }))
    })

    it("holds no process once it is closed", async () => {
      const slow = slowBackend()
      const pool = create({ size: 2, share: 0.5, backend: slow })
      await finishAfter(slow, 100)
      expect(vi.getTimerCount()).toBe(1)
      pool.close()
      expect(vi.getTimerCount()).toBe(0)
    })

    it("begins no rest once it is closed", async () => {
      const slow = slowBackend()
      const pool = create({ size: 2, share: 0.5, backend: slow })
      pool.close()
      await finishAfter(slow, 100)
      expect(vi.getTimerCount()).toBe(0)
    })
  })

  it("leaves the event loop alone while it makes pairs", async () => {
    const pool = create({ size: 2, modulusBits: 2048 })
    let turns = 0
    const count = setInterval(() => turns++, 1)
    await pool.ready(1)
    clearInterval(count)
    expect(turns).toBeGreaterThan(0)
  })

  it.each([
    [{ size: 0 }, /size must be/],
    [{ modulusBits: 1024 as never }, /modulusBits must be/],
    [{ share: 0 }, /share must be above 0 and at most 1/],
    [{ share: 1.1 }, /share must be above 0 and at most 1/],
    [{ share: NaN }, /share must be above 0 and at most 1/],
    [{ share: "1" as never }, /share must be above 0 and at most 1/],
    [{ onDepth: 1 as never }, /onDepth must be/],
    [{ depth: 1 } as never, /no option "depth"/],
  ])("refuses %j", (options, message) => {
    expect(() => create(options)).toThrow(message)
  })
})
