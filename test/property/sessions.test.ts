import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"

import type { Session } from "../../src/session.ts"
import { runs, TIMEOUT_MS } from "../support/runs.ts"
import { createWorld, ORIGIN, type World } from "../support/session-world.ts"

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.base64String({ maxLength: 300 }), { maxLength: 7 }).map((parts) => parts.join(".")),
)
const anything = fc.oneof(anyText, fc.anything())

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => "none",
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  )

describe.each(["once", "each"] as const)("sessions of mode %s, whatever comes", (wrap) => {
  let world: World
  let session: Session
  beforeAll(async () => {
    world = await createWorld({ wrap })
    session = await world.open()
  })

  test("as a message is refused in one way", { timeout: TIMEOUT_MS }, async () => {
    const refused = fc.asyncProperty(anything, async (envelope) => {
      const attempt = world.sessions.openMessage(envelope as string, world.terms)
      expect(await codeOf(attempt)).toBe("ERR_OPEN_FAILED")
    })
    await fc.assert(refused, runs(300))
  })

  test("as a hello or an opening is refused, and opens nothing", { timeout: TIMEOUT_MS }, async () => {
    const before = (await world.sessions.list()).length
    const refused = fc.asyncProperty(anything, anything, async (id, text) => {
      const hello = world.sessions.offer(text as string, { origin: ORIGIN })
      expect(await codeOf(hello)).toBe("ERR_OPEN_FAILED")
      const opening = world.sessions.open(id as string, text as string, world.terms)
      expect(await codeOf(opening)).toBe("ERR_NO_SESSION")
    })
    await fc.assert(refused, runs(200))
    expect(await world.sessions.list()).toHaveLength(before)
  })

  test(
    "changed at one place is refused, and the message still counts once",
    { timeout: TIMEOUT_MS },
    async () => {
      const changed = fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 63 }), async (place, shift) => {
        const envelope = await session.seal("genuine")
        const at = place % envelope.length
        const changedText =
          envelope.slice(0, at) + shiftedCharacter(envelope[at] ?? "", shift) + envelope.slice(at + 1)
        const code = await codeOf(world.sessions.openMessage(changedText, world.terms))
        // a changed name is another session's, or nobody's
        expect(["ERR_OPEN_FAILED", "ERR_NO_SESSION"]).toContain(code)
        expect(await world.read(envelope)).toBe("genuine")
      })
      await fc.assert(changed, runs(wrap === "each" ? 30 : 150))
    },
  )

  test("any message comes back as it was", { timeout: TIMEOUT_MS }, async () => {
    const carried = fc.asyncProperty(
      fc.uint8Array({ maxLength: 2000 }),
      fc.uint8Array(),
      async (bytes, context) => {
        const envelope = await session.seal(bytes, { context })
        const opened = await world.sessions.openMessage(envelope, { ...world.terms, context })
        expect(opened.message).toEqual(new Uint8Array(bytes))
        expect(opened.session).toBe(session.id)
      },
    )
    await fc.assert(carried, runs(wrap === "each" ? 20 : 60))
  })
})

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const shiftedCharacter = (character: string, shift: number): string =>
  character === "." ? "-" : (ALPHABET[(ALPHABET.indexOf(character) + shift) % 64] ?? "")
