/**
 * What every idempotency store must do, as cases that any test runner can run. Uses fresh random ids and contents throughout.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, isBytes } from "../base/bytes.ts"
import { assertOptions } from "../base/options.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import type { IdempotencyStore } from "../idempotency/store.ts"
import { assert, type ContractCase } from "./assert.ts"

/** Options of {@link idempotencyStoreContract}. */
export interface IdempotencyStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time. */
  readonly create: () => MaybePromise<IdempotencyStore>
  /** A second handle on the records of a store that `create` gave. Absent: the cases that need one use the first. */
  readonly reopen?: (store: IdempotencyStore) => MaybePromise<IdempotencyStore>
}

/** `store` and `other` are two handles on the same records, as two processes have them. */
type Case = (store: IdempotencyStore, other: IdempotencyStore) => Promise<void>

const DAY_SECONDS = 86_400
const SHORT_SECONDS = 0.2

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length))
const randomId = (): string => encodeBase64url(random(32))

const isSame = (one: unknown, other: Uint8Array): boolean =>
  isBytes(one) && one.length === other.length && one.every((byte, at) => byte === other[at])

function assertHeld(held: unknown, expected: Uint8Array, what: string): void {
  assert(held !== undefined, `${what} to be held`)
  assert(isSame(held, expected), `${what} to be held byte for byte`)
}

/** Until what is kept for {@link SHORT_SECONDS} has expired, whatever the clocks' grain. */
const expiry = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SHORT_SECONDS * 1000 + 150))

/**
 * The cases that an idempotency store must pass.
 *
 * A store that lets two callers begin one operation fails them, as does one that lets a finished one be overwritten.
 *
 * @example
 * ```ts
 * import { memoryIdempotencyStore } from "sealwire/server"
 * import { idempotencyStoreContract } from "sealwire/testing"
 *
 * const cases = idempotencyStoreContract({ create: () => memoryIdempotencyStore() }) // your store instead
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function idempotencyStoreContract(options: IdempotencyStoreContractOptions): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen"])
  const { create, reopen = (store: IdempotencyStore): IdempotencyStore => store } = options
  return Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => {
      const store = await create()
      await run(store, await reopen(store))
    },
  }))
}

const CASES: Readonly<Record<string, Case>> = {
  "begins an operation once, and tells others what it was begun with": async (store, other) => {
    const [id, begun] = [randomId(), random(80)]
    assert((await store.begin(id, begun, DAY_SECONDS)) === undefined, "a new operation to begin")
    assertHeld(await store.begin(id, random(80), DAY_SECONDS), begun, "what an operation was begun with")
    assertHeld(await other.begin(id, random(80), DAY_SECONDS), begun, "what it was begun with, elsewhere,")
    assertHeld(await other.find(id), begun, "what it was begun with, found elsewhere,")
  },

  "knows no other operation": async (store, other) => {
    const [id, begun] = [randomId(), random(80)]
    assert((await store.find(id)) === undefined, "an operation that nobody began not to be found")
    assert(!(await store.finish(id, begun, random(90))), "an operation that nobody began not to be finished")
    assert((await other.find(id)) === undefined, "a finish not to make an operation")
    // in base64url they differ by case alone
    const [lower, upper] = ["a", "A"].map((last) => id.slice(0, -1) + last) as [string, string]
    await store.begin(lower, begun, DAY_SECONDS)
    assert((await store.find(upper)) === undefined, "ids that differ by case to be two")
  },

  "gives one of 20 callers at once the operation": async (store, other) => {
    const id = randomId()
    const contents = Array.from({ length: 20 }, () => random(80))
    const begin = async (content: Uint8Array, at: number): Promise<Uint8Array | undefined> =>
      (at % 2 === 0 ? store : other).begin(id, content, DAY_SECONDS)
    const held = await Promise.all(contents.map(begin))
    const winners = contents.filter((_, at) => held[at] === undefined)
    assert(winners.length === 1, `one of 20 callers to begin the operation, not ${winners.length}`)
    const [winner = random(0)] = winners
    for (const each of held) if (each) assertHeld(each, winner, "the winner's content")
    assertHeld(await store.find(id), winner, "the winner's content")
  },

  "finishes an operation for all": async (store, other) => {
    const [id, begun, done] = [randomId(), random(80), random(300)]
    await store.begin(id, begun, DAY_SECONDS)
    assert(await store.finish(id, begun, done), "an operation to be finished")
    assertHeld(await other.find(id), done, "what it was finished with")
    assertHeld(await other.begin(id, random(80), DAY_SECONDS), done, "what it was finished with")
  },

  "leaves an operation to who began it, and to its first end": async (store, other) => {
    const [id, begun, done] = [randomId(), random(80), random(90)]
    await store.begin(id, begun, DAY_SECONDS)
    assert(!(await other.finish(id, random(80), random(90))), "what somebody else began not to be finished")
    assertHeld(await store.find(id), begun, "what an operation was begun with")
    const ends = await Promise.all([store.finish(id, begun, done), other.finish(id, begun, done)])
    assert(ends.filter(Boolean).length === 1, "one of two ends to count")
    assert(!(await store.finish(id, begun, random(90))), "an end not to be replaced")
    assertHeld(await other.find(id), done, "the first end")
  },

  "keeps contents of any bytes, short and long": async (store, other) => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    // what getRandomValues gives at once
    const long = random(65_536)
    for (const content of [random(1), all, new Uint8Array(64), long]) {
      const [id, begun] = [randomId(), random(1)]
      await store.begin(id, begun, DAY_SECONDS)
      assert(await store.finish(id, begun, content), "an operation to be finished")
      assertHeld(await other.find(id), content, `a content of ${content.length} bytes`)
    }
  },

  "forgets an operation after its time, and not before": async (store, other) => {
    const [id, begun] = [randomId(), random(80)]
    const [finished, kept] = [randomId(), randomId()]
    for (const each of [id, finished]) await store.begin(each, begun, SHORT_SECONDS)
    await store.finish(finished, begun, random(90))
    await store.begin(kept, begun, DAY_SECONDS)
    await expiry()
    assert((await other.find(id)) === undefined, "an operation to be forgotten")
    assert((await other.find(finished)) === undefined, "an end not to prolong an operation's time")
    assert(!(await store.finish(id, begun, random(90))), "what was forgotten not to be finished")
    const anew = random(80)
    // by the first handle: the other's first may clear what has expired
    assert((await store.begin(id, anew, DAY_SECONDS)) === undefined, "what was forgotten to begin anew")
    assert(
      !(await store.finish(id, begun, random(90))),
      "what was begun anew not to be finished by the first",
    )
    assertHeld(await store.find(id), anew, "what it was begun anew with")
    assertHeld(await store.find(kept), begun, "an operation whose time is not over")
  },

  "gives and takes contents that can be changed without changing what it holds": async (store) => {
    const [id, begun] = [randomId(), random(80)]
    const given = new Uint8Array(begun)
    await store.begin(id, given, DAY_SECONDS)
    given.fill(0)
    const found = await store.find(id)
    assertHeld(found, begun, "a content")
    found?.fill(0)
    assertHeld(await store.find(id), begun, "a content")
  },
}
