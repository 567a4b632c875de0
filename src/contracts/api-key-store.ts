/**
 * What every store of API keys must do, as cases that any test runner can run. Uses fresh random ids and principals throughout.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { ApiKeyRecord, ApiKeyStore } from "../api-keys/record.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import { assert, type ContractCase } from "./assert.ts"
import {
  assertKept,
  contractOver,
  endingRecordCases,
  NOW_MS,
  random,
  randomPrincipal,
  type RecordTerms,
  SCOPES,
  type StoreCase,
} from "./ending-records.ts"

/** Options of {@link apiKeyStoreContract}. */
export interface ApiKeyStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time. */
  readonly create: () => MaybePromise<ApiKeyStore>
  /** A second handle on the records of a store that `create` gave. Absent: the case that needs one is left out. */
  readonly reopen?: (store: ApiKeyStore) => MaybePromise<ApiKeyStore>
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz234567"

const randomId = (): string => Array.from(random(16), (byte) => LETTERS.charAt(byte & 31)).join("")

function record(rest: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: randomId(),
    hash: encodeBase64url(random(32)),
    principal: randomPrincipal(),
    scopes: SCOPES,
    createdAtMs: NOW_MS,
    endsAtMs: undefined,
    lastUsedAtMs: undefined,
    ...rest,
  }
}

const TERMS: RecordTerms<ApiKeyRecord> = {
  create: record,
  idOf: ({ id }) => id,
  textOf: ({ id, hash, principal, createdAtMs, endsAtMs, lastUsedAtMs }) => ({
    id,
    hash,
    principal,
    createdAtMs,
    endsAtMs,
    lastUsedAtMs,
  }),
}

function assertSame(found: ApiKeyRecord | undefined, expected: ApiKeyRecord, what: string): void {
  assertKept(TERMS, found, expected, what)
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
  return contractOver(options, CASES, sharesThroughTwo)
}

const CASES: Readonly<Record<string, StoreCase<ApiKeyStore>>> = {
  ...endingRecordCases<ApiKeyRecord, ApiKeyStore>(TERMS),

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

  "does not bring back what was revoked": async (store) => {
    const revoked = record({ endsAtMs: NOW_MS + 9000 })
    await store.add(revoked)
    assert((await store.end(revoked.id, 0)) === 0, "a key to be revoked")
    assert((await store.end(revoked.id, NOW_MS + 9000)) === 0, "a revoked key to stay so")
    await store.touch(revoked.id, NOW_MS)
    assert(!(await store.add({ ...revoked })), "the id of a revoked key to be taken")
    assert((await store.find(revoked.id))?.endsAtMs === 0, "a revoked key to be found as one")
  },

  "notes the last use, and never an earlier one": async (store) => {
    const added = record()
    await store.add(added)
    await store.touch(added.id, NOW_MS + 2000)
    await store.touch(added.id, NOW_MS + 1000)
    const inUse = { ...added, lastUsedAtMs: NOW_MS + 2000 }
    assertSame(await store.find(added.id), inUse, "a record in use")
    assertSame((await store.list(added.principal))[0], inUse, "a listed record in use")
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
