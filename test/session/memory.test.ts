/**
 * What a thief finds in the memory of a server process: everything while a session lives, and nothing that opens a recorded
 * message once it has ended. docs/threat-model.md §5.6.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { notRun, RUN_ALL } from "../support/not-run.ts"
import { findBytes, type MemoryImage, MISSING_MEMORY } from "../support/process-memory.ts"
import { type KnownSession, startVictim, stealMessage, type Victim } from "../support/session-thief.ts"
import { copiesOfRsa, stealRsa } from "../support/stolen-rsa.ts"

const SECRET_TEXT = "the combination is 7-19-44"
/** What a server does next: others' messages, which use memory again that was given up. */
const MESSAGES_AFTER = 2000

/** Copies of a key; freed memory loses its first 16 bytes to the allocator, and the rest of a key opens nothing. */
const copiesOf = (image: MemoryImage, key: Uint8Array): number => findBytes(image, key).length

function countOpeners(image: MemoryImage, { openers }: KnownSession): Record<string, number> {
  return Object.fromEntries(Object.entries(openers).map(([name, key]) => [name, copiesOf(image, key)]))
}

if (MISSING_MEMORY) notRun("the search of a server's memory for sessions", MISSING_MEMORY)
else {
  describe("the memory of a server", () => {
    let victim: Victim
    beforeAll(async () => {
      victim = await startVictim()
    })
    afterAll(() => victim.close())

    /** Lets the process go on as servers do. */
    async function goOn(): Promise<void> {
      const other = await (await victim.offer()).open()
      for (let i = 0; i < MESSAGES_AFTER; i++) await victim.send(other, `message ${i}`)
      await victim.ask({ do: "collect" })
      await victim.ask({ do: "end", id: other.offer.sessionId })
    }

    it("has the session's RSA key until the opening, and not afterwards", async () => {
      const { modulus, open } = await victim.offer()
      const rsa = stealRsa(victim.image(), modulus)
      if (!rsa) throw new Error("the control has not found the key")
      await open()
      // keys inside OpenSSL are wiped when their last handle is collected, which is the runtime's to decide
      await victim.ask({ do: "collect" })
      expect(copiesOfRsa(victim.image(), rsa, modulus.length)).toBe(0)
    })

    it.each([
      ["logout", (id: string) => victim.ask({ do: "end", id })],
      ["idling", () => victim.ask({ do: "pass", seconds: 601 })],
      ["expiry", () => victim.ask({ do: "pass", seconds: 3601 })],
    ])("has the secrets of a session while it lives, and not after its end by %s", async (end, finish) => {
      const session = await (await victim.offer()).open()
      const { contentKey } = await victim.send(session, SECRET_TEXT)
      const count = (image: MemoryImage): Record<string, number> => ({
        ...countOpeners(image, session),
        "content key": copiesOf(image, contentKey),
      })
      const alive = count(victim.image())
      expect(alive["secret"]).toBeGreaterThan(0)
      await finish(session.offer.sessionId)
      const ended = count(victim.image())
      // the library's own copy goes at once, those of the runtime when it uses the memory again
      expect(ended["secret"]).toBeLessThan(alive["secret"] ?? 0)
      console.info(`left by the runtime right after ${end}: ${JSON.stringify(ended)}`)
      await goOn()
      expect(Object.entries(count(victim.image())).filter(([, copies]) => copies > 0)).toEqual([])
    })

    it(
      "opens a recorded message while its session lives, and not afterwards",
      { timeout: 300_000 },
      async () => {
        const session = await (await victim.offer()).open()
        const { envelope } = await victim.send(session, SECRET_TEXT)
        const recorded = { opening: session.opening, envelope }
        expect(stealMessage(victim.image(), recorded)).toBe(SECRET_TEXT)
        await victim.ask({ do: "end", id: session.offer.sessionId })
        await goOn()
        const image = victim.image()
        // the identity key is among what the thief has, and is of no use
        expect(findBytes(image, victim.identitySecret).length).toBeGreaterThan(0)
        expect(stealMessage(image, recorded, RUN_ALL ? 1 : undefined)).toBeUndefined()
      },
    )
  })
}
