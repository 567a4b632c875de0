/**
 * What every store of API keys must do, as cases that any test runner can run. Uses fresh random ids and principals throughout.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import { assertOptions } from "../base/options.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import { assert, type ContractCase } from "./assert.ts"

/** Options of {@link apiKeyStoreContract}. */
export interface ApiKeyStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time. */
  readonly create: () => MaybePromise<ApiKeyStore>
  /** A second handle on the records of a store that `create` gave. Absent: the case that needs one is left out. */
  readonly reopen?: (store: ApiKeyStore) => MaybePromise<ApiKeyStore>
}

type Case = (store: ApiKeyStore) => Promise<void>

const NOW_MS = 1_767_225_600_000
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567"

const random = (length: number): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(length))
const randomId = (): string => Array.from(random(16), (byte) => LETTERS.charAt(byte & 31)).join("")

/** A principal that a careless store would trip over. */
const randomPrincipal = (): string => `o'Brien\\"$1;--%_${encodeBase64url(random(9))}`

function record(rest: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: randomId(),
    hash: encodeBase64url(random(32)),
    principal: randomPrincipal(),
    scopes: ["transfers:write", `'"\\$$`],
    createdAtMs: NOW_MS,
    endsAtMs: undefined,
    lastUsedAtMs: undefined,
    ...rest,
  }
}

const MEMBERS = ["id", "hash", "principal", "createdAtMs", "endsAtMs", "lastUsedAtMs"] as const

function assertSame(found: ApiKeyRecord | undefined, expected: ApiKeyRecord, what: string): void {
  assert(found !== undefined, `${what} to be found`)
  for (const member of MEMBERS) {
    assert(found?.[member] === expected[member], `${what} to keep its ${member}`)
  }
  const isSame = JSON.stringify(found?.scopes) === JSON.stringify(expected.scopes)
  assert(isSame, `${what} to keep its scopes, in their order`)
}

/**
 * The cases that a store of API keys must pass.
 *
 * A store that brings back what was revoked fails them, as does one that takes a principal's name for a pattern or for SQL.
 *
 * @example
 * ```ts
 * import { memoryApiKeyStore } from "sealwire/api-keys"
 * import { apiKeyStoreContract } from "sealwire/testing"
 *
 * const cases = apiKeyStoreContract({ create: () => memoryApiKeyStore() }) // your store instead
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function apiKeyStoreContract(options: ApiKeyStoreContractOptions): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen"])
  const { create, reopen } = options
  const cases = Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => run(await create()),
  }))
  if (!reopen) return cases
  const run = async (): Promise<void> => {
    const store = await create()
    await sharesThroughTwo(store, await reopen(store))
  }
  return [...cases, { name: "shares records through two handles", run }]
}

const CASES: Readonly<Record<string, Case>> = {
  "finds a record as it was added": async (store) => {
    const all = record({ scopes: [], endsAtMs: NOW_MS + 1, lastUsedAtMs: NOW_MS + 2 })
    const least = record()
    assert(await store.add(all), "a new record to be added")
    assert(await store.add(least), "a new record to be added")
    assertSame(await store.find(all.id), all, "a record")
    assertSame(await store.find(least.id), least, "a record without an end")
  },

  "knows no other id": async (store) => {
    const id = randomId()
    assert((await store.find(id)) === undefined, "an id that nobody added not to be found")
    assert((await store.end(id, 0)) === undefined, "an id that nobody added not to be ended")
    await store.touch(id, NOW_MS)
    assert((await store.find(id)) === undefined, "an id that nobody added not to be found after a touch")
  },

  "adds an id once, and leaves what it has": async (store) => {
    const first = record()
    assert(await store.add(first), "a new record to be added")
    assert(!(await store.add(record({ id: first.id }))), "a second record with an id to be refused")
    assertSame(await store.find(first.id), first, "the first record")
  },

  "gives one of 20 adds at once the id": async (store) => {
    const id = randomId()
    const adds = Array.from({ length: 20 }, async () => store.add(record({ id })))
    const added = (await Promise.all(adds)).filter(Boolean).length
    assert(added === 1, `one of 20 records with an id to be added, not ${added}`)
  },

  "moves an end to an earlier time, and never to a later one": async (store) => {
    const { id } = record()
    await store.add(record({ id }))
    assert((await store.end(id, NOW_MS + 9000)) === NOW_MS + 9000, "a key without an end to get one")
    assert((await store.end(id, NOW_MS + 5000)) === NOW_MS + 5000, "an end to move to an earlier time")
    assert((await store.end(id, NOW_MS + 7000)) === NOW_MS + 5000, "an end not to move to a later time")
    assert((await store.find(id))?.endsAtMs === NOW_MS + 5000, "the earliest end to be kept")
  },

  "does not bring back what was revoked": async (store) => {
    const revoked = record({ endsAtMs: NOW_MS + 9000 })
    await store.add(revoked)
    assert((await store.end(revoked.id, 0)) === 0, "a key to be revoked")
    assert((await store.end(revoked.id, NOW_MS + 9000)) === 0, "a revoked key to stay so")
    await store.touch(revoked.id, NOW_MS)
    assert(!(await store.add({ ...revoked })), "the id of a revoked key to be taken")
    assert((await store.find(revoked.id))?.endsAtMs === 0, "a revoked key to be found as one")
  },

  "keeps a revocation among 20 other ends at once": async (store) => {
    const { id } = record()
    await store.add(record({ id }))
    const ends = Array.from({ length: 20 }, async (_, n) => store.end(id, n === 10 ? 0 : NOW_MS + n))
    await Promise.all(ends)
    assert((await store.find(id))?.endsAtMs === 0, "a revocation not to be overwritten")
  },

  "notes the last use, and never an earlier one": async (store) => {
    const added = record()
    await store.add(added)
    await store.touch(added.id, NOW_MS + 2000)
    await store.touch(added.id, NOW_MS + 1000)
    assertSame(await store.find(added.id), { ...added, lastUsedAtMs: NOW_MS + 2000 }, "a record in use")
  },

  "lists all, or those of one principal": async (store) => {
    const principal = randomPrincipal()
    const [first, second, other] = [record({ principal }), record({ principal, endsAtMs: 0 }), record()]
    for (const added of [first, second, other]) await store.add(added)
    await store.touch(first.id, NOW_MS)
    const mine = await store.list(principal)
    assert(mine.length === 2, `the list of a principal to have 2 records, not ${mine.length}`)
    const find = (id: string): ApiKeyRecord | undefined => mine.find((listed) => listed.id === id)
    assertSame(find(first.id), { ...first, lastUsedAtMs: NOW_MS }, "a listed record")
    assertSame(find(second.id), second, "a listed record that has ended")
    const ids = (await store.list()).map(({ id }) => id)
    assert(
      [first, second, other].every(({ id }) => ids.includes(id)),
      "the list of all to have all",
    )
    const none = await store.list(`${principal.slice(0, -1)}%`)
    assert(none.length === 0, "a principal's name not to be a pattern")
  },

  "gives records that can be changed without changing what it holds": async (store) => {
    const added = record()
    await store.add(added)
    const found = (await store.find(added.id)) as { scopes: string[]; principal: string } | undefined
    found?.scopes.push("admin")
    if (found) found.principal = "another"
    assertSame(await store.find(added.id), added, "a record")
  },
}

async function sharesThroughTwo(store: ApiKeyStore, other: ApiKeyStore): Promise<void> {
  const added = record()
  await store.add(added)
  assertSame(await other.find(added.id), added, "a record, through another handle,")
  await other.end(added.id, 0)
  assert((await store.find(added.id))?.endsAtMs === 0, "a revocation to be seen through another handle")
}
