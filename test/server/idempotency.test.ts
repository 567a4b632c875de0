import { randomBytes } from "node:crypto"

import { describe, expect, it } from "vitest"

import { httpContext } from "../../src/http/wire.ts"
import { generateSigningKeyPair } from "../../src/keys.ts"
import {
  createEndpoint,
  type Endpoint,
  type EndpointOptions,
  type Handler,
  type IdempotencyOptions,
  type IdempotencyStore,
  memoryIdempotencyStore,
} from "../../src/server.ts"
import {
  endpointWith,
  exchange,
  freshGuard,
  ORIGIN,
  sealedRequest,
  serverKey,
} from "../support/sealed-http.ts"

const draft = { headers: [["idempotency-key", "k-1"]], body: '{"amount":1}' } as const
const SECRET = "balance: 1,000,000"

const endpointOver = (
  idempotency: IdempotencyOptions,
  options: Partial<EndpointOptions> = {},
): Promise<Endpoint> => endpointWith({ idempotency, ...options })

const withMemory = (options: Partial<IdempotencyOptions> = {}): Promise<Endpoint> =>
  endpointOver({ store: memoryIdempotencyStore(), ...options })

/** A handler that counts how often it ran, and can be held. */
function counter(): { readonly next: Handler; ran(): number; held: Promise<unknown> } {
  let ran = 0
  const handler = {
    held: Promise.resolve() as Promise<unknown>,
    ran: () => ran,
    next: async (): Promise<Response> => {
      ran++
      await handler.held
      return Response.json({ ran, secret: SECRET }, { status: 201 })
    },
  }
  return handler
}

/** A promise, and how to resolve it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A store that processes could share, with a look into it. */
interface Shared extends IdempotencyStore {
  readonly contents: Map<string, Uint8Array>
}

function sharedStore(): Shared {
  const contents = new Map<string, Uint8Array>()
  const find = (id: string): Uint8Array | undefined => contents.get(id)?.slice()
  return {
    contents,
    find,
    begin(id, content) {
      const held = find(id)
      if (!held) contents.set(id, content.slice())
      return held
    },
    finish(id, begun, content) {
      if (Buffer.compare(contents.get(id) ?? begun.slice(1), begun) !== 0) return false
      contents.set(id, content.slice())
      return true
    },
  }
}

const newKey = (): Uint8Array => new Uint8Array(randomBytes(32))

describe("an endpoint with an idempotency store", () => {
  it("answers a repeated operation with its first answer, and refuses the key for another message", async () => {
    const endpoint = await withMemory()
    const { next, ran } = counter()
    const first = await exchange(endpoint, draft, next)
    const second = await exchange(endpoint, draft, next)
    expect(second).toMatchObject({ status: 201, text: first.text })
    const other = await exchange(endpoint, { ...draft, body: '{"amount":2}' }, next)
    expect(other.status).toBe(422)
    expect(other.text).not.toContain(SECRET)
    expect(ran()).toBe(1)
  })

  it("lets who comes while the operation is under way wait for its answer", async () => {
    const endpoint = await withMemory({ waitMs: 60_000 })
    const handler = counter()
    const { opened, open } = gate()
    handler.held = opened
    const first = exchange(endpoint, draft, handler.next)
    await until(() => handler.ran() === 1)
    const others = Array.from({ length: 5 }, () => exchange(endpoint, draft, handler.next))
    setTimeout(open, 100)
    const { text } = await first
    for (const other of await Promise.all(others)) expect(other).toMatchObject({ status: 201, text })
    expect(handler.ran()).toBe(1)
  })

  it("tells who has waited for long that the operation is under way, or was cut off", async () => {
    const endpoint = await withMemory({ waitMs: 30 })
    const handler = counter()
    const { opened, open } = gate()
    handler.held = opened
    const first = exchange(endpoint, draft, handler.next)
    await until(() => handler.ran() === 1)
    const second = await exchange(endpoint, draft, handler.next)
    expect(second.status).toBe(409)
    expect(second.text).toContain("under way")
    open()
    expect((await first).status).toBe(201)
  })

  it("keeps a handler's failure, and does not try again", async () => {
    const endpoint = await withMemory()
    await exchange(endpoint, draft, () => Promise.reject(new Error("half done")))
    expect((await exchange(endpoint, draft, counter().next)).status).toBe(500)
  })

  it("keeps no answer of an operation that the peer cut off, and does not carry it out again", async () => {
    const endpoint = await withMemory({ waitMs: 0 })
    const abort = new AbortController()
    const { request } = await sealedRequest(draft)
    const cutOff = endpoint.handle(new Request(request, { signal: abort.signal }), ({ signal }) => {
      abort.abort()
      return Promise.reject(signal.reason as Error)
    })
    expect((await cutOff).status).toBe(503)
    const { next, ran } = counter()
    const again = await exchange(endpoint, draft, next)
    expect(again.status).toBe(409)
    expect(again.text).toContain("cut off")
    expect(ran()).toBe(0)
  })

  it("keeps two principals' keys apart", async () => {
    const [a, b] = await Promise.all([generateSigningKeyPair(), generateSigningKeyPair()])
    const signedBy = [a.verifyingKey, b.verifyingKey]
    const endpoint = await endpointOver({ store: memoryIdempotencyStore() }, { signedBy })
    const who = (_: Request, { signer }: { signer: string | undefined }): Response => new Response(signer)
    const ofA = await exchange(endpoint, { ...draft, signWith: a.signingKey }, who)
    const ofB = await exchange(endpoint, { ...draft, signWith: b.signingKey }, who)
    expect([ofA.text, ofB.text]).toEqual([a.verifyingKey.kid, b.verifyingKey.kid])
  })

  it.each([
    ["is longer than it may be", { maxAnswerBytes: 10 }],
    ["does not fit into the store", { store: memoryIdempotencyStore({ maxBytes: 10 }) }],
  ])("says that an operation was carried out whose answer %s", async (_, options) => {
    const endpoint = await withMemory(options)
    const { next, ran } = counter()
    expect((await exchange(endpoint, draft, next)).status).toBe(201)
    const again = await exchange(endpoint, draft, next)
    expect(again.status).toBe(409)
    expect(again.text).toContain("was carried out")
    expect(ran()).toBe(1)
  })

  it("carries nothing out that its store does not take", async () => {
    const store = memoryIdempotencyStore({ maxEntries: 1 })
    const endpoint = await endpointOver({ store })
    const { next, ran } = counter()
    await exchange(endpoint, draft, next)
    const { request } = await sealedRequest({ ...draft, headers: [["idempotency-key", "k-2"]] })
    expect((await endpoint.handle(request, next)).status).toBe(503)
    expect(ran()).toBe(1)
  })
})

describe("endpoints that share an idempotency store", () => {
  it("carry out an operation once that both are asked for at once, and give the same answer", async () => {
    const [store, recordKeys] = [sharedStore(), [newKey()]]
    const one = await endpointOver({ store, recordKeys })
    const other = await endpointOver({ store, recordKeys })
    const { next, ran } = counter()
    const answers = await Promise.all([one, other].map((each) => exchange(each, draft, next)))
    expect(ran()).toBe(1)
    expect(answers[0]).toMatchObject({ status: 201, text: answers[1]?.text })
  })

  it("keep nothing in it that can be read, neither answers nor digests", async () => {
    const store = sharedStore()
    const endpoint = await endpointOver({ store, recordKeys: [newKey()] })
    const sealed = await sealedRequest(draft)
    await sealed.read(await endpoint.handle(sealed.request, counter().next))
    expect(store.contents.size).toBe(1)
    for (const [id, content] of store.contents) {
      expect(id).toMatch(/^[\w-]{43}$/)
      expect(Buffer.from(content).toString("latin1")).not.toContain("balance")
      // name, IV, digest, state and the tag at least
      expect(content.length).toBeGreaterThan(8 + 12 + 33 + 16)
    }
  })

  it("read what was kept under an older key, and nothing under a key that is gone", async () => {
    const [store, old, fresh] = [sharedStore(), newKey(), newKey()]
    const { next, ran } = counter()
    const first = await exchange(await endpointOver({ store, recordKeys: [old] }), draft, next)
    const rotated = await endpointOver({ store, recordKeys: [fresh, old] })
    expect((await exchange(rotated, draft, next)).text).toBe(first.text)
    const gone = await exchange(await endpointOver({ store, recordKeys: [fresh] }), draft, next)
    expect(gone.status).toBe(409)
    expect(gone.text).toContain("cannot be read")
    expect(ran()).toBe(1)
  })

  it("take no answer that was moved from another operation, or changed", async () => {
    const store = sharedStore()
    const endpoint = await endpointOver({ store, recordKeys: [newKey()] })
    const other = { ...draft, headers: [["idempotency-key", "k-2"]] } as const
    const { next, ran } = counter()
    for (const each of [draft, other]) await exchange(endpoint, each, next)
    const [[one, ofOne], [two, ofTwo]] = [...store.contents] as [[string, Uint8Array], [string, Uint8Array]]
    store.contents.set(one, ofTwo)
    ofOne.set([(ofOne[40] ?? 0) ^ 1], 40)
    store.contents.set(two, ofOne)
    for (const each of [draft, other]) {
      const answer = await exchange(endpoint, each, next)
      expect(answer.status).toBe(409)
      expect(answer.text).not.toContain(SECRET)
    }
    expect(ran()).toBe(2)
  })

  it("keep operations of two origins apart", async () => {
    const [store, recordKeys] = [sharedStore(), [newKey()]]
    const one = await endpointOver({ store, recordKeys })
    const origin = "https://other.example.com"
    const other = await endpointOver({ store, recordKeys }, { origin })
    const { next, ran } = counter()
    await exchange(one, draft, next)
    const sealed = await sealedRequest({ ...draft, context: httpContext(origin) })
    await other.handle(sealed.request, next)
    expect([ran(), store.contents.size]).toEqual([2, 2])
  })

  it("do not begin what the store has forgotten while they waited", async () => {
    const store = { ...sharedStore(), find: () => undefined }
    const endpoint = await endpointOver({ store, recordKeys: [newKey()], waitMs: 60_000 })
    const handler = counter()
    const { opened, open } = gate()
    handler.held = opened
    const first = exchange(endpoint, draft, handler.next)
    await until(() => handler.ran() === 1)
    expect((await exchange(endpoint, draft, handler.next)).status).toBe(409)
    open()
    expect((await first).status).toBe(201)
    expect(handler.ran()).toBe(1)
  })

  it("give their answer also where it cannot be kept, and do not carry it out again", async () => {
    const store = { ...sharedStore(), finish: () => Promise.reject(new Error("down")) }
    const endpoint = await endpointOver({ store, recordKeys: [newKey()], waitMs: 0 })
    const { next, ran } = counter()
    expect((await exchange(endpoint, draft, next)).status).toBe(201)
    expect((await exchange(endpoint, draft, next)).status).toBe(409)
    expect(ran()).toBe(1)
  })

  it.each([
    ["without keys", {}, /recordKeys must have a key/],
    ["with a short key", { recordKeys: [new Uint8Array(16)] }, /recordKeys must be keys of 32 bytes/],
    ["with keys, but in the process", { store: memoryIdempotencyStore(), recordKeys: [newKey()] }, /stays/],
    ["that is none", { store: {} }, /store must be a store/],
    ["that forgets too soon", { recordKeys: [newKey()], keepSeconds: 60 }, /keepSeconds/],
    ["with a wait that is none", { recordKeys: [newKey()], waitMs: -1 }, /waitMs/],
  ])("refuse one %s", async (_, options, message) => {
    const keys = await serverKey()
    const idempotency = { store: sharedStore(), ...options } as IdempotencyOptions
    const make = () =>
      createEndpoint({ origin: ORIGIN, keys, replay: freshGuard(), routes: { "/**": "medium" }, idempotency })
    expect(make).toThrow(message)
  })
})
