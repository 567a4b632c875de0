import { afterEach, describe, expect, it, vi } from "vitest"

import { createSessions, memorySessionStore, type SessionStore } from "../../src/session.ts"
import { endpointWith, ORIGIN as HTTP_ORIGIN } from "../support/sealed-http.ts"
import { sharedStore } from "../support/shared-session-store.ts"
import { createWorld, endlessPool, ORIGIN, serverIdentity, type World } from "../support/session-world.ts"

type Verb = "add" | "open" | "find" | "touch" | "idOfKey" | "end"

const HELLO = `{"cn":"${"A".repeat(43)}"}`
const recordKeys = [new Uint8Array(32).fill(7)]

/** A shared store that does something else when it is told to. */
function faultyStore(): { readonly store: SessionStore; break(verb: Verb, how?: () => unknown): void } {
  const store = sharedStore()
  const faults = new Map<string, () => unknown>()
  const asked = new Proxy(store, {
    get: (target, verb, receiver) => faults.get(String(verb)) ?? Reflect.get(target, verb, receiver),
  })
  return {
    store: asked,
    break(verb, how) {
      if (how) faults.set(verb, how)
      else faults.delete(verb)
    },
  }
}

async function worldOn(store: SessionStore): Promise<World> {
  return createWorld({ store, recordKeys, wrap: "each" })
}

/** What of a session's life asks the store for what. */
const uses: Readonly<Record<Verb, (world: World) => Promise<(stranger?: string) => Promise<unknown>>>> = {
  add: ({ sessions }) => Promise.resolve(() => sessions.offer(HELLO, { origin: ORIGIN })),
  open: (world) => Promise.resolve(() => world.open()),
  find: inSession,
  idOfKey: inSession,
  touch: inSession,
  async end({ open, sessions }) {
    const { id } = await open()
    return () => sessions.end(id)
  },
}

async function inSession({ open, now, read }: World): Promise<() => Promise<unknown>> {
  const session = await open()
  now.advance(2000)
  return async () => read(await session.seal("a"))
}

const verbs = Object.keys(uses) as Verb[]
const failed = { code: "ERR_STORE" }

afterEach(() => {
  vi.useRealTimers()
})

describe.each(verbs)("a session store whose %s fails", (verb) => {
  it.each<[string, () => unknown]>([
    [
      "at once",
      () => {
        throw new Error("the database is gone")
      },
    ],
    ["later", () => Promise.reject(new Error("the database is gone"))],
    [
      "by promises of its own kind",
      () => ({
        then: (_: unknown, reject: (error: Error) => void) => {
          reject(new Error("gone"))
        },
      }),
    ],
  ])("%s refuses what it was asked for, and nothing after it", async (_, how) => {
    const faulty = faultyStore()
    const use = await uses[verb](await worldOn(faulty.store))
    faulty.break(verb, how)
    await expect(use()).rejects.toMatchObject(failed)
    faulty.break(verb)
    await use()
  })

  it("to answer is not waited for longer than two seconds", async () => {
    const faulty = faultyStore()
    const use = await uses[verb](await worldOn(faulty.store))
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    let isAsked = (): void => undefined
    const asked = new Promise<void>((resolve) => (isAsked = resolve))
    faulty.break(verb, () => {
      isAsked()
      return new Promise(() => undefined)
    })
    const refused = expect(use()).rejects.toMatchObject(failed)
    await asked
    await vi.advanceTimersByTimeAsync(2000)
    await refused
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1) // the sweep
  })
})

describe.each(["open", "touch", "end"] as const)(
  "a session store whose %s says neither yes nor no",
  (verb) => {
    it.each([{ changes: 0 }, 1, "true", undefined])("but %j refuses", async (answer) => {
      const faulty = faultyStore()
      const use = await uses[verb](await worldOn(faulty.store))
      faulty.break(verb, () => answer)
      await expect(use()).rejects.toMatchObject(failed)
    })
  },
)

it("an endpoint answers 503 while a session store of somebody else's fails", async () => {
  const fails = (): never => {
    throw new Error("the database is gone")
  }
  const store = { ...memorySessionStore(), add: fails, find: fails }
  const sessions = createSessions({ identity: await serverIdentity(), keyPool: await endlessPool(), store })
  const endpoint = await endpointWith({ sessions })
  const path = `${HTTP_ORIGIN}/.well-known/sealwire/sessions`
  const headers = { "content-type": "application/jose" }
  for (const [url, body] of [
    [path, HELLO],
    [`${path}/${"A".repeat(22)}`, "...."],
  ] as const) {
    const request = new Request(url, { method: "POST", body, headers })
    expect((await endpoint.handle(request, () => new Response("x"))).status).toBe(503)
  }
})
