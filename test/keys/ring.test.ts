import { inspect } from "node:util"

import { beforeAll, describe, expect, test } from "vitest"

import type { PrivateKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { createKeyRing, type KeyRing, type KeyState } from "../../src/keys/ring.ts"
import { forge, MESSAGE } from "../support/forge.ts"
import { errorOf, guardOver } from "../support/reader.ts"
import { spyStore } from "../support/stores.ts"
import { open } from "../../src/envelope/open.ts"
import { knownAnswers } from "../support/vectors.ts"

const STATES: readonly KeyState[] = ["pending", "active", "retired"]
const STEPS = ["activate", "retire", "destroy"] as const

/** What each step makes of each state. */
const AFTER: Record<KeyState, Partial<Record<(typeof STEPS)[number], KeyState | "gone">>> = {
  pending: { activate: "active", retire: "retired" },
  active: { retire: "retired" },
  retired: { destroy: "gone" },
}
const MOVES = STATES.flatMap((state) => STEPS.map((step) => [state, step, AFTER[state][step]] as const))

describe("a key ring", () => {
  let first: PrivateKey
  let second: PrivateKey
  beforeAll(async () => {
    first = await importPrivateKey(knownAnswers.recipient)
    second = await importPrivateKey(knownAnswers.recipient_3072)
  })

  const ringWith = (state: KeyState): KeyRing => {
    const ring = createKeyRing()
    ring.add(first, state)
    return ring
  }

  test.each(MOVES.filter(([, , after]) => after !== undefined))(
    "takes a key that is %s by %s to %s",
    (state, step, after) => {
      const ring = ringWith(state)
      ring[step](first.kid)
      expect(ring.list()).toEqual(after === "gone" ? [] : [{ key: first, state: after }])
      expect(ring.find(first.kid)).toBe(after === "gone" ? undefined : first)
      expect(ring.published()).toEqual(after === "active" ? [first.publicKey] : [])
    },
  )

  test.each(MOVES.filter(([, , after]) => after === undefined))(
    "leaves a key that is %s alone when asked to %s it",
    (state, step) => {
      const ring = ringWith(state)
      expect(() => {
        ring[step](first.kid)
      }).toThrow(RangeError)
      expect(() => {
        ring[step](first.kid)
      }).toThrow(`cannot ${step} key ${first.kid}: it is ${state}`)
      expect(ring.list()).toEqual([{ key: first, state }])
    },
  )

  test.each(STEPS)("cannot %s a key that it does not have, or no longer has", (step) => {
    const ring = ringWith("retired")
    ring.destroy(first.kid)
    for (const kid of [first.kid, second.kid, "", "__proto__"]) {
      expect(() => {
        ring[step](kid)
      }).toThrow(RangeError)
    }
  })

  test("publishes in the order in which keys became active, whatever the order in which they came", () => {
    const ring = createKeyRing()
    ring.add(first)
    ring.add(second)
    ring.activate(second.kid)
    ring.activate(first.kid)
    expect(ring.published()).toEqual([second.publicKey, first.publicKey])
    expect(ring.list().map(({ key }) => key)).toEqual([first, second])
  })

  test("adds keys as pending unless told otherwise, and those it is made from as active", () => {
    const ring = createKeyRing([second])
    ring.add(first)
    expect(ring.list()).toEqual([
      { key: second, state: "active" },
      { key: first, state: "pending" },
    ])
  })

  test("has a key once", () => {
    const ring = createKeyRing([first])
    for (const state of STATES) {
      expect(() => {
        ring.add(first, state)
      }).toThrow(RangeError)
    }
    expect(() => createKeyRing([first, first])).toThrow(RangeError)
  })

  test("may have a key again after it was destroyed", () => {
    const ring = ringWith("retired")
    ring.destroy(first.kid)
    ring.add(first)
    expect(ring.list()).toEqual([{ key: first, state: "pending" }])
  })

  test("takes nothing but private keys and states", () => {
    const ring = createKeyRing()
    for (const key of [null, undefined, {}, first.publicKey, knownAnswers.recipient, { ...first }]) {
      expect(() => {
        ring.add(key as PrivateKey)
      }).toThrow(TypeError)
    }
    for (const state of ["destroyed", "", "ACTIVE", "toString"]) {
      expect(() => {
        ring.add(first, state as KeyState)
      }).toThrow(RangeError)
    }
    expect(ring.list()).toEqual([])
  })

  test("gives lists that change nothing in it", () => {
    const ring = createKeyRing([first])
    ring.list().pop()
    ring.published().pop()
    for (const entry of ring.list())
      expect(Object.isFrozen(entry) || Reflect.set(entry, "state", "retired")).toBe(true)
    expect(ring.list()).toEqual([{ key: first, state: "active" }])
    expect(ring.published()).toEqual([first.publicKey])
  })

  test.each(STATES)("opens with a key that is %s", async (state) => {
    const opened = await open(forge(), { with: ringWith(state), replay: guardOver(spyStore()) })
    expect(opened.text()).toBe(MESSAGE)
  })

  test("shows names and sizes to inspect, and nothing else", () => {
    const shown = inspect(createKeyRing([first]).list(), { depth: Infinity, showHidden: true })
    expect(shown).toContain(first.kid)
    expect(shown).not.toMatch(/CryptoKey|KeyObject|handle|material/)
  })
})

test("an array of keys is no ring, and that is said at once", async () => {
  const key = await importPrivateKey(knownAnswers.recipient)
  for (const envelope of [forge(), "no envelope"]) {
    const opening = open(envelope, { with: [key] as never, replay: guardOver(spyStore()) })
    const error = await errorOf(opening)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain("options.with")
  }
})
