import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"

import { platformTiming } from "../../src/client/timing.ts"
import { createWorld, ORIGIN, toAll } from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"

const never = (): Promise<Response> => new Promise(() => undefined)
const reason = new Error("the caller's own reason")

describe("the caller's signal", () => {
  test("that has aborted keeps everything from being sent", async () => {
    const world = await createWorld()
    expect(await errorOf(world.client.fetch("/a", { signal: AbortSignal.abort(reason) }))).toBe(reason)
    const request = new Request(`${ORIGIN}/a`, { signal: AbortSignal.abort(reason) })
    expect(await errorOf(world.client.fetch(request))).toBe(reason)
    expect(world.sent).toEqual([])
  })

  test("ends an attempt, and is passed on to the fetch below", async () => {
    const world = await createWorld()
    const controller = new AbortController()
    world.between = toAll(() => {
      setTimeout(() => controller.abort(reason), 1)
      return never()
    })
    expect(await errorOf(world.client.fetch("/a", { signal: controller.signal }))).toBe(reason)
    expect(world.sent[0]?.signal?.aborted).toBe(true)
    expect(world.sent).toHaveLength(1)
    expect(world.events.at(-1)).toMatchObject({ type: "failure", code: undefined })
  })

  test("of a Request counts, unless init has another", async () => {
    const world = await createWorld()
    const controller = new AbortController()
    world.between = toAll(() => {
      controller.abort(reason)
      return never()
    })
    const request = (): Request => new Request(`${ORIGIN}/a`, { signal: controller.signal })
    expect(await errorOf(world.client.fetch(request()))).toBe(reason)
    world.between = (sent, pass) => pass(sent)
    expect((await world.client.fetch(request(), { signal: null })).status).toBe(200)
  })

  test("ends a wait between attempts", async () => {
    const controller = new AbortController()
    const world = await createWorld({
      timing: platformTiming,
      client: {
        retry: { baseDelayMs: 50_000, maxDelayMs: 50_000 },
        onEvent: ({ type }) => type === "retry" && controller.abort(reason),
      },
    })
    world.between = toAll(() => new Response("plain"))
    expect(await errorOf(world.client.fetch("/a", { signal: controller.signal }))).toBe(reason)
    expect(world.sent).toHaveLength(1)
  })

  test("ends the reading of a request's body", async () => {
    const world = await createWorld()
    const controller = new AbortController()
    const body = new ReadableStream({ pull: () => controller.abort(reason) }, { highWaterMark: 0 })
    const init = { method: "POST", body, duplex: "half", signal: controller.signal }
    expect(await errorOf(world.client.fetch("/a", init))).toBe(reason)
  })

  test("ends a stream, also one that has begun", async () => {
    const world = await createWorld({ endpoint: { streamAfterMs: 0 } })
    const controller = new AbortController()
    const source = new TransformStream<Uint8Array, Uint8Array>()
    const writer = source.writable.getWriter()
    world.handler = () => new Response(source.readable)
    const response = await world.client.fetch("/events", { signal: controller.signal })
    const reader = response.body?.getReader()
    void writer.write(new Uint8Array([1])).catch(() => undefined)
    expect(Array.from((await reader?.read())?.value ?? [])).toEqual([1])
    controller.abort(reason)
    expect(await errorOf(reader?.read() as never)).toBe(reason)
    await expect(writer.closed).rejects.toThrow()
  })

  test("drops what of a stream has come and was not read", async () => {
    const world = await createWorld({ endpoint: { streamAfterMs: 0 } })
    const controller = new AbortController()
    world.handler = () => new Response("x".repeat(1_000_000))
    const response = await world.client.fetch("/file", { signal: controller.signal })
    await new Promise((resolve) => setTimeout(resolve, 50))
    controller.abort(reason)
    expect(await errorOf(response.body?.getReader().read() as never)).toBe(reason)
  })

  test("does nothing any more once the answer is there", async () => {
    const world = await createWorld()
    const controller = new AbortController()
    const response = await world.client.fetch("/a", { signal: controller.signal })
    controller.abort(reason)
    expect(await response.json()).toEqual({ path: "/a" })
    expect(world.sent[0]?.signal?.aborted).toBe(false)
  })
})

describe("time", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }))
  afterEach(() => void vi.useRealTimers())

  /** Lets fake time pass, as far as what really goes on lets it. */
  async function pass(untilSettled: Promise<unknown>, stepMs: number): Promise<number> {
    const state = { isSettled: false }
    const startMs = performance.now()
    const settle = (): void => void (state.isSettled = true)
    untilSettled.then(settle, settle)
    while (!state.isSettled) {
      await new Promise((resolve) => setImmediate(resolve))
      await vi.advanceTimersByTimeAsync(stepMs)
    }
    return performance.now() - startMs
  }

  test("runs out for an attempt: ERR_TIMEOUT, not repeated for a POST", async () => {
    const world = await createWorld({ timing: platformTiming, client: { timeoutMs: 5000 } })
    world.between = toAll(never)
    const sending = world.client.fetch("/a", { method: "POST", body: "{}" })
    await pass(
      sending.catch(() => undefined),
      100,
    )
    expect(await errorOf(sending)).toMatchObject({ code: "ERR_TIMEOUT", requestId: expect.any(String) })
    expect(world.sent).toHaveLength(1)
    expect(world.sent[0]?.signal?.aborted).toBe(true)
  })

  test("runs out for the whole: the last attempt has only what is left of the budget", async () => {
    const world = await createWorld({
      timing: { ...platformTiming, random: () => 0 },
      client: { timeoutMs: 5000, budgetMs: 12_000, retry: { attempts: 10 } },
    })
    world.between = toAll(never)
    const sending = world.client.fetch("/a")
    const tookMs = await pass(
      sending.catch(() => undefined),
      100,
    )
    expect(await errorOf(sending)).toMatchObject({ code: "ERR_TIMEOUT" })
    expect(world.sent).toHaveLength(3)
    expect(tookMs).toBeGreaterThanOrEqual(12_000)
    expect(tookMs).toBeLessThan(13_000)
  })

  test("counts while an answer is read, and no longer once its stream has begun", async () => {
    const world = await createWorld({
      timing: platformTiming,
      client: { timeoutMs: 60_000, budgetMs: 60_000 },
      endpoint: { streamAfterMs: 0 },
    })
    const source = new TransformStream<Uint8Array, Uint8Array>()
    const writer = source.writable.getWriter()
    world.handler = () => new Response(source.readable)
    const sending = world.client.fetch("/events")
    await pass(sending, 1)
    const response = await sending
    await vi.advanceTimersByTimeAsync(120_000)
    void writer.write(new Uint8Array([1]))
    void writer.close()
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([1]))
  })
})
