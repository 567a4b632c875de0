/**
 * What every store of a key ring must do, as cases that any test runner can run. docs/guides/keys.md.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { KeyRingStore, KeyRingText } from "../key-ring/store.ts"
import { assert, type ContractCase } from "./assert.ts"

/** Options of {@link keyRingStoreContract}. */
export interface KeyRingStoreContractOptions {
  /** An empty store to test. Called once per case. */
  readonly create: () => KeyRingStore | Promise<KeyRingStore>
  /** A second handle on the texts of a store that `create` gave. Absent: the same handle is used twice. */
  readonly reopen?: (store: KeyRingStore) => KeyRingStore | Promise<KeyRingStore>
}

type Case = (store: KeyRingStore, other: KeyRingStore) => Promise<void>

/** What quoting, escaping or another encoding would change. */
const AWKWARD = `{"a":"it's \\"quoted\\" \\\\x00 $1 $$ %s é 🔑 \\u2028"}\n`

async function assertSaves(
  store: KeyRingStore,
  name: KeyRingText,
  text: string,
  version: number,
): Promise<void> {
  const answer: unknown = await store.save(name, text, version)
  assert(answer === true, `version ${version} of ${name} to be saved, not ${String(answer)}`)
}

async function assertRefuses(store: KeyRingStore, name: KeyRingText, version: number): Promise<void> {
  const answer: unknown = await store.save(name, "too late", version)
  assert(answer === false, `version ${version} of ${name} to be refused by false, not ${String(answer)}`)
}

async function assertHolds(
  store: KeyRingStore,
  name: KeyRingText,
  text: string,
  version: number,
): Promise<void> {
  const found = await store.load(name)
  assert(found?.version === version, `${name} to be of version ${version}, not ${String(found?.version)}`)
  assert(found?.text === text, `${name} to hold what was saved`)
}

const CASES: Readonly<Record<string, Case>> = {
  "has nothing before anything was saved": async (store) => {
    for (const name of ["ring", "uses"] as const) {
      assert((await store.load(name)) === undefined, `no ${name} in an empty store`)
    }
  },

  "gives back the latest text, to the character, through every handle": async (store, other) => {
    await assertSaves(store, "ring", AWKWARD, 1)
    await assertHolds(other, "ring", AWKWARD, 1)
    const long = AWKWARD.repeat(5000)
    await assertSaves(other, "ring", long, 2)
    await assertHolds(store, "ring", long, 2)
  },

  "keeps the two texts apart": async (store) => {
    await assertSaves(store, "ring", "keys", 1)
    await assertSaves(store, "uses", "counters", 1)
    await assertSaves(store, "uses", "more", 2)
    await assertHolds(store, "ring", "keys", 1)
    await assertHolds(store, "uses", "more", 2)
  },

  "saves a version over the one before it only": async (store, other) => {
    await assertRefuses(store, "ring", 2)
    await assertSaves(store, "ring", "first", 1)
    await assertSaves(store, "ring", "second", 2)
    for (const version of [1, 2, 4, 20]) await assertRefuses(other, "ring", version)
    await assertHolds(store, "ring", "second", 2)
  },

  "goes on for as many versions as come": async (store, other) => {
    for (let version = 1; version <= 40; version++) {
      await assertSaves(version % 2 ? store : other, "uses", `version ${version}`, version)
    }
    await assertHolds(store, "uses", "version 40", 40)
    await assertRefuses(other, "uses", 3)
    await assertHolds(other, "uses", "version 40", 40)
  },

  "lets one of 20 savers of a version have it": async (store, other) => {
    for (const version of [1, 2]) {
      const savers = Array.from({ length: 20 }, async (_, i) => {
        const text = `saver ${i}`
        return (await (i % 2 ? store : other).save("ring", text, version)) ? [text] : []
      })
      const winners = (await Promise.all(savers)).flat()
      assert(winners.length === 1, `one of 20 to save version ${version}, not ${winners.length}`)
      await assertHolds(store, "ring", winners[0] ?? "", version)
    }
  },
}

/**
 * The cases that a store of a key ring must pass. They show nothing about a process that is killed: do that to one, too.
 *
 * @example
 * ```ts
 * import { memoryKeyRingStore } from "sealwire/key-ring"
 * import { keyRingStoreContract } from "sealwire/testing"
 *
 * const cases = keyRingStoreContract({ create: memoryKeyRingStore }) // your store instead
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function keyRingStoreContract(options: KeyRingStoreContractOptions): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen"])
  const { create, reopen = (store: KeyRingStore): KeyRingStore => store } = options
  return Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => {
      const store = await create()
      await run(store, await reopen(store))
    },
  }))
}
