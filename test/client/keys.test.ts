import { describe, expect, test, vi } from "vitest"

import { type Client, createClient } from "../../src/client/client.ts"
import { platformSeqStore, type SeqStore } from "../../src/client/seq-store.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import type { PrivateKey } from "../../src/keys/key.ts"
import { createKeyRing } from "../../src/keys/ring.ts"
import { generateSigningKeyPair } from "../../src/keys/signer.ts"
import { type Directory, signDirectory } from "../../src/http/directory.ts"
import {
  createWorld,
  headerOf,
  instantTiming,
  ORIGIN,
  serverIdentity,
  serverKey,
  toAll,
  type World,
  type WorldOptions,
} from "../support/client-world.ts"
import { errorOf } from "../support/reader.ts"

const pins = async (): Promise<string[]> => ["A".repeat(43), (await serverIdentity()).kid]

async function pinned({ client = {}, ...rest }: WorldOptions = {}): Promise<World> {
  return createWorld({ client: { pins: await pins(), ...client }, ...rest })
}

/** Whatever a directory is asked for, it says this. */
async function saying(
  change: Partial<Directory>,
  signer = serverIdentity(),
): Promise<() => Promise<Response>> {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const text = await signDirectory(await signer, {
    origin: ORIGIN,
    issuedAtSeconds: nowSeconds,
    expiresAtSeconds: nowSeconds + 3600,
    keys: [(await serverKey()).publicKey],
    next: [],
    seq: 5,
    ...change,
  })
  return async () => new Response(text)
}

/** A client whose directory is answered like this, at the client's time. */
async function clientOf(
  directory: () => Promise<Response> | Response,
  options: { clock?: () => number; seqStore?: SeqStore } = {},
): Promise<Client> {
  const fetch = async (): Promise<Response> => directory()
  const retry = { attempts: 1 }
  return createClient({ baseUrl: ORIGIN, pins: await pins(), fetch, retry, ...options })
}

describe("a directory", () => {
  test("by a pinned identity names the keys, and is fetched once for many requests", async () => {
    const world = await pinned()
    expect((await world.client.keys()).map(({ kid }) => kid)).toEqual([(await serverKey()).kid])
    const answers = await Promise.all(["/a", "/b", "/c"].map((path) => world.client.fetch(path)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(world.directoryFetches()).toBe(1)
    expect(world.events[0]).toEqual({ type: "directory", seq: 1, kids: [(await serverKey()).kid], next: [] })
  })

  test("is fetched once for requests that need it at the same time", async () => {
    const world = await pinned()
    await Promise.all([1, 2, 3].map(() => world.client.fetch("/a")))
    expect(world.directoryFetches()).toBe(1)
  })

  test("that tells of coming identities changes no pin", async () => {
    const { signingKey } = await generateSigningKeyPair()
    const events: unknown[] = []
    let answer = await saying({ next: [signingKey.kid] })
    const fetch = async (): Promise<Response> => answer()
    const client = createClient({
      baseUrl: ORIGIN,
      pins: await pins(),
      fetch,
      onEvent: (event) => events.push(event),
    })
    await client.keys()
    expect(events).toEqual([expect.objectContaining({ type: "directory", next: [signingKey.kid] })])
    answer = await saying({ seq: 6 }, Promise.resolve(signingKey))
    expect(await errorOf((await clientOf(answer)).keys())).toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
  })

  test("may be elsewhere on the server", async () => {
    const urls: string[] = []
    const answer = await saying({})
    const client = createClient({
      baseUrl: `${ORIGIN}/v1/`,
      pins: await pins(),
      directoryPath: "/v1/keys",
      fetch: (url) => (urls.push(url), answer()),
    })
    await client.keys()
    expect(urls).toEqual([`${ORIGIN}/v1/keys`])
  })

  test.each<[string, Partial<Directory>]>([
    ["is for another origin", { origin: "https://other.example" }],
    ["has run out", { expiresAtSeconds: Math.floor(Date.now() / 1000) - 1, issuedAtSeconds: 1_700_000_000 }],
    ["is good for more than a day", { expiresAtSeconds: Math.floor(Date.now() / 1000) + 86_500 }],
    ["has no keys", { keys: [] }],
  ])("that %s is not trusted", async (_, change) => {
    expect(await errorOf((await clientOf(await saying(change))).keys())).toMatchObject({
      code: "ERR_KEYS_UNTRUSTED",
    })
  })

  test("by an identity that is not pinned is not trusted, and nothing is sealed or sent", async () => {
    const stranger = (await generateSigningKeyPair()).signingKey
    const world = await pinned({ endpoint: { directory: { identity: stranger } } })
    const error = await errorOf(world.client.fetch("/a"))
    expect(error).toMatchObject({ code: "ERR_KEYS_UNTRUSTED", requestId: expect.any(String) })
    expect(world.sent).toEqual([])
    expect(world.directoryFetches()).toBe(1)
  })

  test.each([301, 302, 404, 500])("answered with %i is none", async (status) => {
    const client = await clientOf(
      () => new Response("x", { status, headers: { location: "https://o.example/" } }),
    )
    expect(await errorOf(client.keys())).toMatchObject({ code: "ERR_KEYS_UNTRUSTED", outerStatus: status })
  })

  test.each(["", "not a directory", "e30.e30.AA", "x".repeat(300_000)])(
    "of other text is none",
    async (text) => {
      const client = await clientOf(() => new Response(text))
      expect(await errorOf(client.keys())).toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
    },
  )

  test.each(["GET", "POST"])(
    "that cannot be had now is asked for again, also for a %s: nothing was sent",
    async (method) => {
      const world = await pinned()
      let failures = 0
      world.between = async (sent, pass) => {
        if (failures++ === 0) throw new TypeError("connection refused")
        return failures === 2 ? new Response("busy", { status: 503 }) : pass(sent)
      }
      expect((await world.client.fetch("/a", { method })).status).toBe(200)
      expect(world.sent).toHaveLength(1)
      expect(world.events.filter(({ type }) => type === "retry")).toHaveLength(2)
    },
  )

  test("that is cut is asked for again, and what is refused unread is let go", async () => {
    const world = await pinned()
    const cancel = vi.fn()
    const answers = [
      new Response(new ReadableStream({ pull: (controller) => controller.error(new TypeError("reset")) })),
      new Response(new ReadableStream({ cancel }), { headers: { "content-length": "1000000" } }),
    ]
    world.between = async (sent, pass) => answers.shift() ?? pass(sent)
    expect(await errorOf(world.client.fetch("/a", { method: "POST" }))).toMatchObject({
      code: "ERR_KEYS_UNTRUSTED",
      message: expect.stringContaining("too large"),
    })
    expect([world.directoryFetches(), world.sent.length, cancel.mock.calls.length]).toEqual([2, 0, 1])
  })

  test("is fetched again when it has run out", async () => {
    let nowMs = Date.now()
    let fetches = 0
    const answer = await saying({})
    const client = await clientOf(() => (fetches++, answer()), { clock: () => nowMs })
    await client.keys()
    nowMs += 3_590_000
    await client.keys()
    expect(fetches).toBe(1)
    nowMs += 20_000
    expect(await errorOf(client.keys())).toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
    expect(fetches).toBe(2)
  })
})

describe("the highest seq seen", () => {
  test("refuses a directory with a lower one, by a client made later, too", async () => {
    const held = new Map<string, number>()
    const seqStore: SeqStore = {
      highestSeq: async (origin) => held.get(origin),
      raise: async (origin, seq) => void held.set(origin, Math.max(held.get(origin) ?? 0, seq)),
    }
    await (await clientOf(await saying({ seq: 5 }), { seqStore })).keys()
    expect([...held]).toEqual([[ORIGIN, 5]])
    await (await clientOf(await saying({ seq: 5 }), { seqStore })).keys()
    const older = await clientOf(await saying({ seq: 4 }), { seqStore })
    expect(await errorOf(older.keys())).toMatchObject({ code: "ERR_KEYS_UNTRUSTED" })
  })

  test("is kept in memory where there is no IndexedDB", async () => {
    let nowMs = Date.now()
    const directories = [
      await saying({ seq: 5 }),
      await saying({ seq: 4, expiresAtSeconds: Math.floor(nowMs / 1000) + 7200 }),
    ]
    let fetches = 0
    const client = await clientOf(() => (directories[fetches++] as () => Promise<Response>)(), {
      clock: () => nowMs,
    })
    await client.keys()
    nowMs += 3_601_000
    expect(await errorOf(client.keys())).toMatchObject({ message: expect.stringContaining("older") })
  })

  test("is kept in memory where IndexedDB refuses, or does not take it", async () => {
    const refusals = [
      () => {
        throw new DOMException("denied", "SecurityError")
      },
      // never answers
      () => ({}),
    ]
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      for (const open of refusals) {
        vi.stubGlobal("indexedDB", { open })
        const store = platformSeqStore()
        const seqs = Promise.all([store.highestSeq(ORIGIN), store.raise(ORIGIN, 5)])
        await vi.advanceTimersByTimeAsync(2000)
        expect((await seqs)[0]).toBe(0)
        const seq = store.highestSeq(ORIGIN)
        await vi.advanceTimersByTimeAsync(2000)
        expect(await seq).toBe(5)
      }
    } finally {
      vi.useRealTimers()
      vi.unstubAllGlobals()
    }
  })

  test.each(["highestSeq", "raise"] as const)(
    "that cannot be told (%s) refuses the directory",
    async (broken) => {
      const seqStore: SeqStore = {
        highestSeq: async () => undefined,
        raise: async () => undefined,
        [broken]: () => Promise.reject(new Error("disk full")),
      }
      const error = await errorOf((await clientOf(await saying({}), { seqStore })).keys())
      expect(error).toMatchObject({ code: "ERR_KEYS_UNTRUSTED", cause: new Error("disk full") })
    },
  )
})

describe("a key that the server no longer has", () => {
  interface Rotated extends World {
    rotate(): void
    readonly next: PrivateKey
  }

  async function rotating(options: WorldOptions = {}): Promise<Rotated> {
    const first = await serverKey()
    const { privateKey: next } = await generateKeyPair({ modulusBits: 2048 })
    const ring = createKeyRing([first])
    let seq = 1
    const directory = { identity: await serverIdentity(), seq: () => seq }
    const world = await pinned({ ...options, endpoint: { keys: ring, directory, ...options.endpoint } })
    const rotate = (): void => {
      ring.add(next)
      ring.activate(next.kid)
      ring.retire(first.kid)
      ring.destroy(first.kid)
      seq++
    }
    return Object.assign(world, { rotate, next })
  }

  test("is known from the uniform refusal: the directory is fetched again, and the request repeated", async () => {
    const world = await rotating()
    await world.client.fetch("/a")
    world.rotate()
    expect((await world.client.fetch("/b")).status).toBe(200)
    const kids = world.sent.map((sent) => headerOf(sent).kid)
    expect(kids).toEqual([(await serverKey()).kid, (await serverKey()).kid, world.next.kid])
    expect(world.directoryFetches()).toBe(2)
  })

  test("fails a request that may not be repeated, but not the next one", async () => {
    const world = await rotating()
    await world.client.keys()
    world.rotate()
    const send = (): Promise<Response> => world.client.fetch("/a", { method: "POST", body: "{}" })
    expect(await errorOf(send())).toMatchObject({ code: "ERR_UNSEALED", outerStatus: 400 })
    expect((await send()).status).toBe(200)
    expect(world.sent).toHaveLength(2)
  })

  test("costs one fetch for requests that are refused together", async () => {
    const world = await rotating()
    await world.client.keys()
    world.rotate()
    const answers = await Promise.all(["/a", "/b", "/c"].map((path) => world.client.fetch(path)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(world.directoryFetches()).toBe(2)
  })

  test("is asked after once in the cool-down, however often somebody forges the refusal", async () => {
    const timing = instantTiming()
    const world = await pinned({ timing })
    await world.client.keys()
    world.between = toAll(() => new Response("{}", { status: 400 }))
    for (let i = 0; i < 5; i++) {
      expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_UNSEALED" })
    }
    expect(world.directoryFetches()).toBe(2)
    expect(world.sent).toHaveLength(5)
    await timing.sleep(30_000, undefined)
    await world.client.fetch("/a").catch(() => undefined)
    expect(world.directoryFetches()).toBe(3)
  })

  test("does not cost the keys that are there when the directory is refused meanwhile", async () => {
    const world = await pinned()
    await world.client.keys()
    world.between = async (sent, pass) =>
      sent.url.includes("well-known") ? new Response("forged") : pass({ ...sent, body: "forged" })
    expect(await errorOf(world.client.fetch("/a", { method: "PUT", body: "{}" }))).toMatchObject({
      code: "ERR_UNSEALED",
    })
    expect(world.events).toContainEqual({ type: "directory-failure", code: "ERR_KEYS_UNTRUSTED" })
    world.between = (sent, pass) => pass(sent)
    expect((await world.client.fetch("/a")).status).toBe(200)
  })
})

describe("keys without a directory", () => {
  test("take turns after a uniform refusal", async () => {
    const stranger = (await generateKeyPair({ modulusBits: 2048 })).publicKey
    const world = await createWorld()
    const keys = [stranger, (await serverKey()).publicKey]
    const turning = await createWorld({ client: { keys } })
    expect((await turning.client.fetch("/a")).status).toBe(200)
    expect(turning.sent.map((sent) => headerOf(sent).kid)).toEqual(keys.map(({ kid }) => kid))
    expect((await turning.client.keys())[0]?.kid).toBe((await serverKey()).kid)
    expect(world.directoryFetches()).toBe(0)
  })

  test("that are all refused end it", async () => {
    const stranger = (await generateKeyPair({ modulusBits: 2048 })).publicKey
    const world = await createWorld({ client: { keys: stranger } })
    expect(await errorOf(world.client.fetch("/a"))).toMatchObject({ code: "ERR_UNSEALED", outerStatus: 400 })
    expect(world.sent).toHaveLength(1)
  })
})
