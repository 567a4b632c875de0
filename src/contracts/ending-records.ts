/**
 * What stores of API keys and of signing keys have in common: records of a principal that end once, and never come back.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { assertOptions } from "../base/options.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import { assert, type ContractCase } from "./assert.ts"

/** A record of a principal. */
export interface EndingRecord {
  readonly principal: string
  readonly scopes: readonly string[]
  readonly endsAtMs: number | undefined
}

/** What a store of such records does. */
export interface EndingRecordStore<Kept extends EndingRecord> {
  add(record: Kept): MaybePromise<boolean>
  find(id: string): MaybePromise<Kept | undefined>
  end(id: string, endsAtMs: number): MaybePromise<number | undefined>
  list(principal?: string): MaybePromise<readonly Kept[]>
}

/** One behaviour of a store. */
export type StoreCase<Store> = (store: Store) => Promise<void>

/** What is different in each kind of records. */
export interface RecordTerms<Kept extends EndingRecord> {
  /** A new record under a fresh random id. */
  create(rest?: Partial<EndingRecord>): Kept
  idOf(record: Kept): string
  /** The members besides the scopes that are kept. */
  textOf(record: Kept): Readonly<Record<string, unknown>>
}

/** A time in the records of all contracts. */
export const NOW_MS = 1_767_225_600_000

/** Fresh random bytes. */
export const random = (length: number): Uint8Array<ArrayBuffer> =>
  crypto.getRandomValues(new Uint8Array(length))

/** A principal that a careless store would trip over. */
export const randomPrincipal = (): string => `o'Brien\\"$1;--%_${encodeBase64url(random(9))}`

/** Scopes of that kind. */
export const SCOPES: readonly string[] = ["transfers:write", `'"\\$$`]

/** Rejects unless a store gave a record as it was added. */
export function assertKept<Kept extends EndingRecord>(
  { textOf }: RecordTerms<Kept>,
  found: Kept | undefined,
  expected: Kept,
  what: string,
): void {
  assert(found !== undefined, `${what} to be found`)
  if (!found) return
  const kept = textOf(found)
  for (const [member, value] of Object.entries(textOf(expected))) {
    assert(kept[member] === value, `${what} to keep its ${member}`)
  }
  const isSame = JSON.stringify(found.scopes) === JSON.stringify(expected.scopes)
  assert(isSame, `${what} to keep its scopes, in their order`)
}

/** The cases that hold for every kind of records. */
export function endingRecordCases<Kept extends EndingRecord, Store extends EndingRecordStore<Kept>>(
  terms: RecordTerms<Kept>,
): Readonly<Record<string, StoreCase<Store>>> {
  const { create, idOf } = terms

  async function addOne(store: Store): Promise<string> {
    const added = create()
    await store.add(added)
    return idOf(added)
  }

  return {
    "moves an end to an earlier time, and never to a later one": async (store) => {
      const id = await addOne(store)
      assert((await store.end(id, NOW_MS + 9000)) === NOW_MS + 9000, "a key without an end to get one")
      assert((await store.end(id, NOW_MS + 5000)) === NOW_MS + 5000, "an end to move to an earlier time")
      assert((await store.end(id, NOW_MS + 7000)) === NOW_MS + 5000, "an end not to move to a later time")
      assert((await store.find(id))?.endsAtMs === NOW_MS + 5000, "the earliest end to be kept")
    },

    "keeps a revocation among 20 other ends at once": async (store) => {
      const id = await addOne(store)
      const ends = Array.from({ length: 20 }, async (_, n) => store.end(id, n === 10 ? 0 : NOW_MS + n))
      await Promise.all(ends)
      assert((await store.find(id))?.endsAtMs === 0, "a revocation not to be overwritten")
      assert((await store.end(id, NOW_MS)) === 0, "a revoked key to stay so")
    },

    "lists all, or those of one principal": async (store) => {
      const principal = randomPrincipal()
      const [first, second, other] = [create({ principal }), create({ principal, endsAtMs: 0 }), create()]
      for (const added of [first, second, other]) await store.add(added)
      const mine = await store.list(principal)
      assert(mine.length === 2, `the list of a principal to have 2 records, not ${mine.length}`)
      const find = (added: Kept): Kept | undefined => mine.find((listed) => idOf(listed) === idOf(added))
      assertKept(terms, find(first), first, "a listed record")
      assertKept(terms, find(second), second, "a listed record that has ended")
      const ids = (await store.list()).map(idOf)
      assert(
        [first, second, other].every((added) => ids.includes(idOf(added))),
        "the list of all to have all",
      )
      const none = await store.list(`${principal.slice(0, -1)}%`)
      assert(none.length === 0, "a principal's name not to be a pattern")
    },
  }
}

/** How a contract comes to its stores. */
export interface StoreContractOptions<Store> {
  readonly create: () => MaybePromise<Store>
  readonly reopen?: (store: Store) => MaybePromise<Store>
}

/** Cases over a store each, and one over two handles where there can be two. */
export function contractOver<Store>(
  options: StoreContractOptions<Store>,
  cases: Readonly<Record<string, StoreCase<Store>>>,
  sharesThroughTwo: (store: Store, other: Store) => Promise<void>,
): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen"])
  const { create, reopen } = options
  const all = Object.entries(cases).map(([name, run]) => ({ name, run: async () => run(await create()) }))
  if (!reopen) return all
  const run = async (): Promise<void> => {
    const store = await create()
    await sharesThroughTwo(store, await reopen(store))
  }
  return [...all, { name: "shares records through two handles", run }]
}
