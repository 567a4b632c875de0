import { createDecipheriv } from "node:crypto"

import { afterEach, describe, expect, test, vi } from "vitest"

import {
  type KeyRingEvent,
  manageKeyRing,
  memoryKeyRingStore,
  openKeyRing,
  type StoredKeyRing,
} from "../../src/key-ring.ts"
import { exportPem, generateKeyPair, importPrivateKey } from "../../src/keys.ts"
import { createTestClock } from "../../src/contracts/test-clock.ts"
import { errorOf } from "../support/reader.ts"
import { type Fleet, fickle, fleet, openBy, sealBy, statesOf, TERMS, wrapped } from "../support/key-rings.ts"

const fleets: Fleet[] = []
const newFleet = (shared: Parameters<typeof fleet>[0] = {}): Fleet => {
  const made = fleet(shared)
  fleets.push(made)
  return made
}
afterEach(async () => {
  for (const made of fleets.splice(0)) await made.close()
})
const kidOf = (ring: StoredKeyRing): string => ring.published()[0]?.kid ?? ""
const refreshAll = async (...rings: StoredKeyRing[]): Promise<void> => {
  for (const ring of rings) await ring.refresh()
}

describe("a ring of two servers", () => {
  test("begins with one key that both open with and publish", async () => {
    const { server, clock } = newFleet()
    const a = await server()
    const b = await server({ create: false })
    expect(statesOf(a)).toEqual(["active"])
    expect(b.list()).toEqual(a.list())
    expect(b.seq).toBe(clock())
    expect(await openBy(b, await sealBy(a))).toBe("hello")
    expect(a.find("nobody")).toBeUndefined()
  })

  test("rotates: one plans, both publish the next key in one moment, and the old one opens until it goes", async () => {
    const events: KeyRingEvent[] = []
    const { server, clock } = newFleet({ onEvent: (event) => events.push(event) })
    const a = await server()
    const b = await server()
    const first = kidOf(a)
    const seq = a.seq
    const old = await sealBy(a, "to the first")

    clock.advance(950_000)
    await refreshAll(a, b)
    expect(statesOf(a)).toEqual(["active", "pending"])
    expect(a.list()).toEqual(b.list())
    clock.advance(49_999)
    expect([kidOf(a), kidOf(b)]).toEqual([first, first])
    expect(b.seq).toBe(seq)
    clock.advance(1)
    // nobody has asked the store since
    const second = kidOf(a)
    expect(second).not.toBe(first)
    expect(kidOf(b)).toBe(second)
    expect(a.published()).toHaveLength(1)
    expect([a.seq, b.seq]).toEqual([clock(), clock()])
    expect(await openBy(b, await sealBy(a, "to the second"))).toBe("to the second")
    expect(await openBy(b, old)).toBe("to the first")

    clock.advance(96_999)
    await refreshAll(b, a)
    expect(statesOf(b)).toEqual(["retired", "active"])
    clock.advance(1)
    await refreshAll(b, a)
    expect(a.list().map(({ kid }) => kid)).toEqual([second])
    expect(a.find(first)).toBeUndefined()
    expect(await errorOf(openBy(a, old))).toMatchObject({ code: "ERR_OPEN_FAILED" })
    expect(events.filter(({ type }) => type === "planned")).toHaveLength(1)
    expect(events.filter(({ type }) => type === "destroyed")).toEqual([
      { type: "destroyed", kid: first, lastUsedAtMs: expect.any(Number) },
    ])
  })

  test("takes a step once, however many begin it together", async () => {
    const { server, clock } = newFleet()
    const rings = await Promise.all([server(), server(), server(), server()])
    expect(new Set(rings.map(kidOf)).size).toBe(1)
    clock.advance(950_000)
    await Promise.all(rings.map((ring) => ring.refresh()))
    await refreshAll(...rings)
    for (const ring of rings) expect(statesOf(ring)).toEqual(["active", "pending"])
  })

  test("knows when a key was last used, and how often, by all servers", async () => {
    const { server, clock } = newFleet()
    const a = await server()
    const b = await server()
    const envelope = await sealBy(a)
    expect(a.list()[0]?.use).toEqual({ count: 0, lastUsedAtMs: 0 })
    await openBy(a, envelope)
    clock.advance(5000)
    await openBy(b, envelope)
    await openBy(b, envelope)
    const lastUsedAtMs = clock()
    clock.advance(5000)
    await Promise.all([a.refresh(), b.refresh()])
    await refreshAll(a, b)
    for (const ring of [a, b]) expect(ring.list()[0]?.use).toEqual({ count: 3, lastUsedAtMs })
    await refreshAll(a, b)
    expect(b.list()[0]?.use.count).toBe(3)
  })

  test("counts no message that only names a key", async () => {
    const ring = await newFleet().server()
    const [header, , ...rest] = (await sealBy(ring)).split(".")
    const forged = [header, "A".repeat(342), ...rest].join(".")
    await errorOf(openBy(ring, forged))
    expect(ring.list()[0]?.use.count).toBe(0)
  })

  test("counts on after the store failed, and loses none", async () => {
    const inner = memoryKeyRingStore()
    const store = fickle(inner)
    const ring = await newFleet({ store }).server()
    await openBy(ring, await sealBy(ring))
    store.failing = "save"
    await errorOf(ring.refresh())
    await openBy(ring, await sealBy(ring))
    store.failing = "no"
    await ring.refresh()
    const other = await manageKeyRing({ store: inner })
    expect(other.list()[0]?.use.count).toBe(2)
  })
})

describe("a ring by hand", () => {
  test("rotates in time, or sooner where it is urgent, one rotation after the other", async () => {
    const { server, clock } = newFleet()
    const ring = await server()
    const planned = await ring.rotate()
    expect(planned.activeFromMs).toBe(clock() + 50_000)
    expect(await errorOf(ring.rotate({ urgent: true }))).toMatchObject({
      message: expect.stringContaining("a rotation is planned already"),
    })
    clock.advance(50_000)
    expect(kidOf(ring)).toBe(planned.kid)
    const urgent = await ring.rotate({ urgent: true })
    expect(urgent.activeFromMs).toBe(clock() + 12_000)
  })

  test("takes a key from outside as the next one, or to open with", async () => {
    const { server, clock } = newFleet()
    const ring = await server()
    const { privateKey: next } = await generateKeyPair({ modulusBits: 2048, extractable: true })
    const { privateKey: late } = await generateKeyPair({ modulusBits: 2048, extractable: true })
    await ring.add(next)
    await ring.add(late, "retired")
    await expect(ring.add(next)).rejects.toThrow(RangeError)
    await expect(ring.add(next, "active" as never)).rejects.toThrow(RangeError)
    expect(statesOf(ring)).toEqual(["active", "pending", "pending"])
    clock.advance(12_000)
    expect(statesOf(ring)).toEqual(["active", "pending", "retired"])
    const planned = await ring.rotate()
    expect(planned).toEqual({ kid: next.kid, activeFromMs: clock() + 38_000 })
    const secret = await generateKeyPair({ modulusBits: 2048 })
    await expect(ring.add(secret.privateKey)).rejects.toMatchObject({ code: "ERR_KEY" })
  })

  test("does not destroy what is in use, unless it is said loudly", async () => {
    const { server, clock } = newFleet()
    const ring = await server()
    const first = kidOf(ring)
    await ring.rotate()
    await expect(ring.destroy(first)).rejects.toThrow("it is active")
    clock.advance(50_000)
    await expect(ring.destroy(first)).rejects.toThrow("may be fresh")
    await ring.hold(first, "files")
    await expect(ring.destroy(first, { dangerouslyLoseMessages: true })).rejects.toThrow("held for files")
    clock.advance(900_000)
    await ring.refresh()
    expect(ring.list()[0]).toMatchObject({ kid: first, heldFor: "files" })
    await ring.hold(first)
    await ring.destroy(first)
    expect(ring.find(first)).toBeUndefined()
    const second = kidOf(ring)
    await expect(ring.retire(second)).rejects.toThrow("rotate instead")
    await expect(ring.destroy(second, { dangerously: true } as never)).rejects.toThrow(TypeError)
  })

  test("is shown without its private keys", async () => {
    const { server, store, clock } = newFleet()
    const ring = await server()
    const first = kidOf(ring)
    const manager = await manageKeyRing({ store, clock })
    expect(manager.list()).toEqual(ring.list())
    expect(manager.list()[0]?.kid).toBe(first)
    await expect(manager.rotate()).rejects.toThrow("options.protection")
    await expect(manager.backup("secret")).rejects.toThrow("options.protection")
    const wrong = await errorOf(manageKeyRing({ store, clock, protection: wrapped() }))
    // a key under another protection would shut all servers out
    expect(wrong).toMatchObject({ code: "ERR_KEY" })
  })

  test("has the terms that were written last, and keeps what was promised under longer ones", async () => {
    const { server, clock } = newFleet()
    const a = await server()
    await a.rotate()
    const promised = a.list()[0]?.destroyableFromMs
    const b = await server({ terms: { ...TERMS, maxAgeSeconds: 1 } })
    await a.refresh()
    expect(a.terms).toEqual(b.terms)
    expect(a.terms.maxAgeSeconds).toBe(1)
    expect(a.list()[0]?.destroyableFromMs).toBe(promised)
    const c = await server({ terms: { maxAgeSeconds: 100 } })
    expect(c.list()[0]?.destroyableFromMs).toBe((promised ?? 0) + 80_000)
    expect(c.terms.refreshSeconds).toBe(10)
    expect(clock()).toBeLessThan(promised ?? 0)
  })
})

describe("when something fails", () => {
  test("a server goes on by what it knows, says so, and follows again", async () => {
    const events: KeyRingEvent[] = []
    const inner = memoryKeyRingStore()
    const store = fickle(inner)
    const { server, clock } = newFleet({ store, onEvent: (event) => void events.push(event) })
    const ring = await server()
    const planned = await ring.rotate()
    store.failing = "load"
    expect(await errorOf(ring.refresh())).toMatchObject({
      code: "ERR_STORE",
      message: expect.stringContaining("asked"),
    })
    clock.advance(50_000)
    expect(kidOf(ring)).toBe(planned.kid)
    expect(await openBy(ring, await sealBy(ring))).toBe("hello")
    expect(events.at(-1)).toMatchObject({ type: "failed", error: { code: "ERR_STORE" } })
    store.failing = "no"
    await ring.refresh()
  })

  test("a step whose answer was lost is not taken twice", async () => {
    const inner = memoryKeyRingStore()
    const store = fickle(inner)
    const { server, clock } = newFleet({ store })
    const ring = await server()
    clock.advance(950_000)
    store.failing = "answer"
    await errorOf(ring.refresh())
    store.failing = "no"
    await ring.refresh()
    expect(statesOf(ring)).toEqual(["active", "pending"])
    clock.advance(50_000)
    expect(await openBy(ring, await sealBy(ring))).toBe("hello")
  })

  test("a store that went back, or lost the ring, is not followed", async () => {
    const { server, store } = newFleet()
    const ring = await server()
    const early = await store.load("ring")
    await ring.rotate()
    let shown = await store.load("ring")
    const back = {
      ...store,
      load: async (name: "ring" | "uses") => (name === "ring" ? shown : store.load(name)),
    }
    const follower = await server({ store: back })
    shown = early
    expect(await errorOf(follower.refresh())).toMatchObject({ message: expect.stringContaining("went back") })
    shown = undefined
    expect(await errorOf(follower.refresh())).toMatchObject({
      message: expect.stringContaining("lost the ring"),
    })
    expect(statesOf(follower)).toEqual(["active", "pending"])
  })

  test("an empty store is not taken for a new ring unless that is wanted", async () => {
    const { server } = newFleet()
    expect(await errorOf(server({ create: false }))).toMatchObject({
      code: "ERR_STORE",
      message: expect.stringContaining("create"),
    })
  })

  test.each([
    ["no JSON", "{"],
    ["another version", `{"v":"3","terms":{},"savedAtMs":1,"changedAtMs":1,"keys":[]}`],
    ["a key without a name", `{"v":"1","terms":{},"savedAtMs":1,"changedAtMs":1,"keys":[{"kid":"x"}]}`],
    ["a term that is none", `{"v":"1","terms":{"often":1},"savedAtMs":1,"changedAtMs":1,"keys":[]}`],
    ["a time that is none", `{"v":"1","terms":{},"savedAtMs":"1","changedAtMs":1,"keys":[]}`],
  ])("a damaged ring is refused: %s", async (_, text) => {
    const store = memoryKeyRingStore()
    await store.save("ring", text, 1)
    expect(await errorOf(manageKeyRing({ store }))).toMatchObject({
      code: "ERR_KEY",
      message: expect.stringContaining("damaged"),
    })
  })

  test("a key under another name is refused", async () => {
    const { server, store, clock } = newFleet({ protection: { dangerouslyInClear: true } })
    await server()
    const { text = "" } = (await store.load("ring")) ?? {}
    const stranger = await generateKeyPair({ modulusBits: 2048, extractable: true })
    const changed = JSON.parse(text) as { keys: { kept: { text: string } }[] }
    const [first] = changed.keys
    if (first) first.kept.text = await exportPem(stranger.privateKey)
    await store.save("ring", JSON.stringify(changed), 2)
    const opening = openKeyRing({ store, clock, protection: { dangerouslyInClear: true } })
    expect(await errorOf(opening)).toMatchObject({
      code: "ERR_KEY",
      message: expect.stringContaining("another one"),
    })
  })
})

describe("private keys at rest", () => {
  const keptOf = async (store: { load(name: "ring"): Promise<{ text: string } | undefined> }) => {
    const { text = "" } = (await store.load("ring")) ?? {}
    const { keys } = JSON.parse(text) as { keys: { kid: string; kept: { by: string; text: string } }[] }
    return { all: text, ...(keys[0] ?? { kid: "", kept: { by: "", text: "" } }) }
  }

  test("are under a passphrase, in a form that others read", async () => {
    const protection = { passphrase: "zwölf Boxkämpfer" }
    const { server, store } = newFleet({ protection })
    const ring = await server()
    const { kept, kid } = await keptOf(store)
    expect(kept.by).toBe("passphrase")
    expect(kept.text).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    const again = await server()
    expect(await openBy(again, await sealBy(ring))).toBe("hello")
    expect(await errorOf(server({ protection: { passphrase: "wrong" } }))).toMatchObject({ code: "ERR_KEY" })
    expect(kid).toBe(kidOf(ring))
  })

  test("are under a wrapping key, bound to their names", async () => {
    const protection = wrapped()
    const { server, store } = newFleet({ protection })
    await server()
    const { kept, kid } = await keptOf(store)
    const bytes = Buffer.from(kept.text, "base64url")
    const decipher = createDecipheriv("aes-256-gcm", protection.wrappingKey, bytes.subarray(0, 12), {
      authTagLength: 16,
    })
    const field = (text: string): Buffer => {
      const head = Buffer.alloc(8)
      head.writeBigUInt64BE(BigInt(Buffer.byteLength(text)))
      return Buffer.concat([head, Buffer.from(text)])
    }
    decipher.setAAD(Buffer.concat([field("sealwire/1 ring key"), field("1"), field(kid)]))
    decipher.setAuthTag(bytes.subarray(-16))
    const der = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    expect((await importPrivateKey(der)).kid).toBe(kid)
    expect(await errorOf(server({ protection: wrapped() }))).toMatchObject({ code: "ERR_KEY" })
    expect(await errorOf(server({ protection: { passphrase: "x" } }))).toMatchObject({
      message: expect.stringContaining("another passphrase, wrapping key or service"),
    })
  })

  test("are in clear only where that is said", async () => {
    const { server, store } = newFleet({ protection: { dangerouslyInClear: true } })
    await server()
    expect((await keptOf(store)).kept.text).toMatch(/^-----BEGIN PRIVATE KEY-----/)
    for (const protection of [
      {},
      { dangerouslyInClear: false },
      { passphrase: "a", dangerouslyInClear: true },
      undefined,
    ]) {
      expect(await errorOf(server({ protection: protection as never }))).toBeInstanceOf(TypeError)
    }
    expect(await errorOf(server({ protection: { wrappingKey: new Uint8Array(16) } }))).toBeInstanceOf(
      RangeError,
    )
    expect(await errorOf(server({ protection: { passphrase: "" } }))).toBeInstanceOf(RangeError)
  })
})

test("a ring follows by itself, twice in refreshSeconds, and holds no process", async () => {
  vi.useFakeTimers()
  try {
    const store = memoryKeyRingStore()
    const protection = wrapped()
    const clock = createTestClock(1_700_000_000_000)
    const options = { store, protection, clock, create: true, terms: TERMS }
    const a = await openKeyRing(options)
    const b = await openKeyRing(options)
    const { kid } = await a.rotate()
    expect(b.find(kid)).toBeUndefined()
    await vi.advanceTimersByTimeAsync(4999)
    expect(b.find(kid)).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await vi.waitFor(() => {
      expect(b.find(kid)).toBeDefined()
    })
    await a.close()
    await b.close()
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
