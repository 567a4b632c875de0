import { describe, expect, it, vi } from "vitest"

import { backend } from "#backend"

import { memorySessionStore } from "../../src/session.ts"
import type { SessionRecord } from "../../src/session/record.ts"
import { SecretBytes } from "../../src/session/secret.ts"
import { sharedStore } from "../support/shared-session-store.ts"
import { createWorld } from "../support/session-world.ts"

const recordKey = crypto.getRandomValues(new Uint8Array(32))
const noSession = { code: "ERR_NO_SESSION" }

describe("the secrets of sessions", () => {
  it("derive nothing once they are wiped: zeros would be a key that anyone knows", () => {
    const secret = new SecretBytes(backend, new Uint8Array(32).fill(7))
    secret.wipe()
    expect(() => secret.expand("message", new Uint8Array(16))).toThrow(expect.objectContaining(noSession))
  })

  it("are overwritten when a session ends, and the private key is gone as soon as it is open", async () => {
    const store = memorySessionStore<SessionRecord>()
    const { open, sessions, now } = await createWorld({ store })
    const session = await open()
    const stored = await store.find(session.id, now())
    const bytes = stored?.content.secret?.bytes
    expect(stored?.content.privateKey).toBeUndefined()
    expect(bytes?.some((byte) => byte !== 0)).toBe(true)
    await sessions.end(session.id)
    expect(bytes?.every((byte) => byte === 0)).toBe(true)
    expect(stored?.content.secret).toBeUndefined()
  })

  it.each<[string, () => boolean]>([
    [
      "fails",
      () => {
        throw new Error("the database is gone")
      },
    ],
    ["says that another came first", () => false],
  ])("are overwritten when the store %s as a session opens", async (_, answer) => {
    const store = memorySessionStore<SessionRecord>()
    const secrets: (Uint8Array | undefined)[] = []
    const open: typeof store.open = (_, { content }) => {
      secrets.push(content.secret?.bytes)
      return answer()
    }
    const { open: openSession } = await createWorld({ store: { ...store, open } })
    await expect(openSession()).rejects.toThrow()
    expect(secrets.map((bytes) => bytes?.every((byte) => byte === 0))).toEqual([true])
  })

  it.each(["once", "each"] as const)(
    "are overwritten in mode %s when a shared store has them, and when a message has its key",
    async (wrap) => {
      const { open, read } = await createWorld({ store: sharedStore(), recordKeys: [recordKey], wrap })
      const stored = vi.spyOn(SecretBytes.prototype, "bytes", "get")
      const used = vi.spyOn(SecretBytes.prototype, "expand")
      const session = await open()
      const kept = stored.mock.contexts.slice()
      await read(await session.seal("a"))
      const [client, server] = used.mock.contexts as SecretBytes[]
      stored.mockRestore()
      used.mockRestore()
      expect(kept.length).toBeGreaterThan(0)
      for (const each of kept) expect((each as SecretBytes).bytes).toBeUndefined()
      expect(server?.bytes).toBeUndefined()
      expect(client?.bytes).toBeDefined()
    },
  )

  it("end with a session, and a message that is then on its way is told so", async () => {
    const store = memorySessionStore<SessionRecord>()
    let isEnding = false
    const find: typeof store.find = (id, nowMs) => {
      // when the message's key was selected, and before it is used
      if (isEnding) queueMicrotask(() => void store.end(id))
      return store.find(id, nowMs)
    }
    const { open, read } = await createWorld({ store: { ...store, find } })
    const session = await open()
    isEnding = true
    await expect(read(await session.seal("a"))).rejects.toMatchObject(noSession)
  })
})
