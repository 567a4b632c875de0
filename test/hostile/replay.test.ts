import { randomBytes } from "node:crypto"

import { beforeAll, describe, expect, test, vi } from "vitest"

import type { SealwireError } from "../../src/base/errors.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import { createReplayGuard, type ReplayEvent, type ReplayGuard } from "../../src/replay/guard.ts"
import { memoryStore, type MemoryStoreOptions } from "../../src/replay/memory-store.ts"
import type { ReplayStore } from "../../src/replay/store.ts"
import { b64u, claimIdOf, forge, MESSAGE, nonceOf, NOW_SECONDS, type Parts, SEED } from "../support/forge.ts"
import { createReader, expectRefusal, guardOver, openNow, type Reader } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"

/** An envelope like no other of this file. */
const forgeAnother = (parts: Partial<Parts> = {}): string => forge({ seed: randomBytes(32), ...parts })

/** A guard over a memory store, both on a clock that a test sets, in a process that has run for an hour. */
function running(options: MemoryStoreOptions = {}): { time: { seconds: number }; replay: ReplayGuard } {
  const time = { seconds: NOW_SECONDS - 3600 }
  const clock = (): number => time.seconds * 1000
  const replay = createReplayGuard({ store: memoryStore({ clock, ...options }), clock })
  time.seconds = NOW_SECONDS
  return { time, replay }
}

describe.each([node, web])("replay on the $name backend", (backend) => {
  let reader: Reader
  beforeAll(async () => {
    reader = await createReader(backend)
  })

  /** `"OK"`, or the code of the refusal. */
  const outcome = async (envelope: string, replay: ReplayGuard, context = ""): Promise<string> =>
    openNow(reader, envelope, { replay, context }).then(
      () => "OK",
      (error: unknown) => (error as SealwireError).code,
    )

  test("opens an envelope once, and refuses each copy", async () => {
    const { replay } = running()
    const envelope = forge()
    expect(await outcome(envelope, replay)).toBe("OK")
    for (let i = 0; i < 3; i++) expect(await outcome(envelope, replay)).toBe("ERR_REPLAYED")
  })

  test.each<[name: string, createStore: () => ReplayStore]>([
    ["a memory store", () => memoryStore({ clock: () => (NOW_SECONDS - 3600) * 1000 })],
    ["a store that answers at once", spyStore],
    [
      "a store that answers in any order",
      () => {
        const { claim } = spyStore()
        return {
          claim: async (id, expiresAtMs) => {
            await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
            return claim(id, expiresAtMs)
          },
        }
      },
    ],
  ])("opens one of a hundred copies at once, over %s", async (_, createStore) => {
    const store = createStore()
    // two guards: two processes that share a store
    const guardOf = (): ReplayGuard => createReplayGuard({ store, clock: () => NOW_SECONDS * 1000 })
    const [one, other] = [guardOf(), guardOf()]
    const envelope = forge()
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => outcome(envelope, i % 2 === 0 ? one : other)),
    )
    expect(outcomes.filter((code) => code === "OK")).toHaveLength(1)
    expect(outcomes.filter((code) => code === "ERR_REPLAYED")).toHaveLength(99)
  })

  test("opens an envelope once among readers on different backends", async () => {
    const others = await Promise.all([createReader(node), createReader(web)])
    const { replay } = running()
    const envelope = forge()
    const outcomes = await Promise.allSettled(
      [reader, ...others].map((each) => openNow(each, envelope, { replay })),
    )
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })

  test("refuses another message under a nonce that was used, as its seed is the same", async () => {
    const { replay } = running()
    expect(await outcome(forge(), replay)).toBe("OK")
    for (const parts of [
      { message: "another" },
      { contentKey: randomBytes(32), iv: randomBytes(12) },
      { issuedAtSeconds: NOW_SECONDS + 1 },
    ]) {
      expect(await outcome(forge(parts), replay)).toBe("ERR_REPLAYED")
    }
    expect(await outcome(forge({ context: "elsewhere" }), replay, "elsewhere")).toBe("ERR_REPLAYED")
  })

  test.each([
    [120, "OK"],
    [121, "ERR_STALE"],
    [-30, "OK"],
    [-31, "ERR_STALE"],
    [86_400, "ERR_STALE"],
    [-86_400, "ERR_STALE"],
    [86_401, "ERR_OPEN_FAILED"],
    [-86_401, "ERR_OPEN_FAILED"],
  ])("takes an envelope that is %i s old as %s", async (ageSeconds, code) => {
    const store = spyStore()
    const replay = guardOver(store)
    expect(await outcome(forge({ issuedAtSeconds: NOW_SECONDS - ageSeconds }), replay)).toBe(code)
    expect(store.claims).toHaveLength(code === "OK" ? 1 : 0)
  })

  test("reads the clock once for an envelope, before the private key", async () => {
    const readings: number[] = []
    const clock = (): number => {
      readings.push(reader.unwraps)
      return NOW_SECONDS * 1000 + readings.length * 100_000
    }
    const before = reader.unwraps
    await openNow(reader, forgeAnother(), { replay: createReplayGuard({ store: spyStore(), clock }) })
    expect(readings).toEqual([before])
  })

  test.each([NaN, Infinity, -Infinity, 0, -1])(
    "refuses while the clock says %d, before the private key",
    async (nowMs) => {
      const replay = createReplayGuard({ store: spyStore(), clock: () => nowMs })
      await expectRefusal(reader, "P0", forge(), { replay })
    },
  )

  test("hands out nothing before the store has answered", async () => {
    let answer: (isNew: boolean) => void = () => undefined
    const asked = vi.fn(() => new Promise<boolean>((resolve) => (answer = resolve)))
    const opened = vi.fn()
    const opening = openNow(reader, forge(), { replay: guardOver({ ...spyStore(), claim: asked }) }).then(
      opened,
    )
    await vi.waitFor(() => {
      expect(asked).toHaveBeenCalledOnce()
    })
    expect(opened).not.toHaveBeenCalled()
    answer(true)
    await opening
    expect(opened).toHaveBeenCalledOnce()
  })

  test("refuses when the store answers too late, and refuses the same envelope later", async () => {
    const held = spyStore()
    let delayMs = 40
    const claim: ReplayStore["claim"] = async (id, expiresAtMs) => {
      const isNew = await held.claim(id, expiresAtMs)
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      return isNew
    }
    const replay = createReplayGuard({
      store: { claim },
      clock: () => NOW_SECONDS * 1000,
      storeTimeoutMs: 10,
    })
    const envelope = forge()
    expect(await outcome(envelope, replay)).toBe("ERR_STORE")
    delayMs = 0
    expect(await outcome(envelope, replay)).toBe("ERR_REPLAYED")
  })

  test("lets nobody use up the nonce of another, nor the time or key with it", async () => {
    const store = spyStore()
    const replay = guardOver(store)
    const jti = b64u(nonceOf(SEED))
    const seed = randomBytes(32)
    for (const junk of [
      forge({ seed, members: { jti } }),
      forge({ seed, members: { jti }, message: MESSAGE, contentKey: randomBytes(32) }),
      forge({ encryptedKey: () => randomBytes(256) }),
      forge({ digest: () => randomBytes(32) }),
      forge({ segments: (right) => right.with(3, b64u(randomBytes(200))).with(4, b64u(randomBytes(16))) }),
    ]) {
      expect(await outcome(junk, replay)).toBe("ERR_OPEN_FAILED")
    }
    expect(store.claims).toEqual([])
    expect(await outcome(forge(), replay)).toBe("OK")
  })

  test("claims under a hash of kid and nonce, of one size, and not under the nonce itself", async () => {
    const store = spyStore()
    const envelope = forge()
    const { id, kid } = await openNow(reader, envelope, { replay: guardOver(store) })
    expect(store.claims.map((claim) => claim.id)).toEqual([claimIdOf(kid, id)])
    expect(store.claims[0]?.id).toHaveLength(43)
    expect(envelope).not.toContain(store.claims[0]?.id)
  })

  test("never takes an old envelope again when the clock steps back after a purge", async () => {
    const { time, replay } = running()
    const envelope = forgeAnother()
    expect(await outcome(envelope, replay)).toBe("OK")
    time.seconds += 600
    // the purge
    expect(await outcome(forgeAnother({ issuedAtSeconds: time.seconds }), replay)).toBe("OK")
    for (const seconds of [600, 590, 480, 470, 300, 0, -30]) {
      time.seconds = NOW_SECONDS + seconds
      expect(await outcome(envelope, replay)).not.toBe("OK")
    }
  })

  test("refuses for a while after a restart what may have been opened before it", async () => {
    const { time, replay } = running()
    const envelope = forgeAnother()
    expect(await outcome(envelope, replay)).toBe("OK")

    time.seconds += 10
    const clock = (): number => time.seconds * 1000
    const restarted = createReplayGuard({ store: memoryStore({ clock }), clock })
    expect(await outcome(envelope, restarted)).toBe("ERR_QUARANTINED")
    time.seconds += 35
    expect(await outcome(envelope, restarted)).toBe("ERR_QUARANTINED")
    expect(await outcome(forgeAnother({ issuedAtSeconds: time.seconds }), restarted)).toBe("ERR_QUARANTINED")
    time.seconds += 1
    expect(await outcome(forgeAnother({ issuedAtSeconds: time.seconds }), restarted)).toBe("OK")
    time.seconds = NOW_SECONDS + 121
    expect(await outcome(envelope, restarted)).toBe("ERR_STALE")
  })

  test("has no such wait for a key that is younger than the store", async () => {
    const replay = createReplayGuard({ store: memoryStore() })
    const { publicKey, privateKey } = await generateKeyPair({ backend, modulusBits: 2048 })
    const envelope = await seal("at once", { to: publicKey })
    expect((await open(envelope, { with: privateKey, replay })).text()).toBe("at once")
    await expect(open(envelope, { with: privateKey, replay })).rejects.toMatchObject({ code: "ERR_REPLAYED" })
  })

  test("has the wait for a key that was made before the store", async () => {
    const { publicKey, privateKey } = await generateKeyPair({ backend, modulusBits: 2048 })
    const envelope = await seal("too early", { to: publicKey })
    const replay = createReplayGuard({ store: memoryStore() })
    await expect(open(envelope, { with: privateKey, replay })).rejects.toMatchObject({
      code: "ERR_QUARANTINED",
      retryAfterSeconds: expect.any(Number) as number,
    })
  })

  test("refuses at a full store, evicts nothing, and goes on when there is room", async () => {
    const { time, replay } = running({ maxEntries: 3 })
    const opened = Array.from({ length: 3 }, () => forgeAnother())
    for (const envelope of opened) expect(await outcome(envelope, replay)).toBe("OK")
    const waiting = forgeAnother()
    expect(await outcome(waiting, replay)).toBe("ERR_STORE_FULL")
    for (const envelope of opened) expect(await outcome(envelope, replay)).toBe("ERR_REPLAYED")
    expect(await outcome(waiting, replay)).toBe("ERR_STORE_FULL")
    time.seconds += 300
    expect(await outcome(forgeAnother({ issuedAtSeconds: time.seconds }), replay)).toBe("OK")
    for (const envelope of [...opened, waiting]) expect(await outcome(envelope, replay)).toBe("ERR_STALE")
  })

  test("opens everything authentic while it observes, reports it, and opens nothing that is not", async () => {
    const events: ReplayEvent[] = []
    const store = spyStore()
    const replay = guardOver(store, { mode: "observe", onEvent: (event) => events.push(event) })
    const envelope = forge()
    const old = forgeAnother({ issuedAtSeconds: NOW_SECONDS - 1_000_000 })
    expect(await outcome(envelope, replay)).toBe("OK")
    expect(await outcome(envelope, replay)).toBe("OK")
    expect(await outcome(old, replay)).toBe("OK")
    expect(await outcome(forge({ digest: () => randomBytes(32) }), replay)).toBe("ERR_OPEN_FAILED")
    expect(events.map(({ outcome, code }) => [outcome, code])).toEqual([
      ["accepted", undefined],
      ["observed", "ERR_REPLAYED"],
      ["observed", "ERR_STALE"],
    ])
  })

  test("reports nothing about what is not authentic, so that a stranger cannot fill a log", async () => {
    const onEvent = vi.fn()
    const replay = guardOver(spyStore(), { onEvent })
    for (const junk of ["", forge({ digest: () => randomBytes(32) }), forge({ context: "x" })]) {
      expect(await outcome(junk, replay)).toBe("ERR_OPEN_FAILED")
    }
    expect(onEvent).not.toHaveBeenCalled()
  })
})
