/**
 * What every store of clients' signing keys must do, as cases that any test runner can run. Uses fresh random ids and principals
 * throughout.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { MaybePromise } from "../crypto/backend.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
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

/** Options of {@link signingKeyStoreContract}. */
export interface SigningKeyStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time. */
  readonly create: () => MaybePromise<SigningKeyStore>
  /** A second handle on the records of a store that `create` gave. Absent: the case that needs one is left out. */
  readonly reopen?: (store: SigningKeyStore) => MaybePromise<SigningKeyStore>
}

const randomText = (): string => encodeBase64url(random(32))

function record(rest: Partial<SigningKeyRecord> = {}): SigningKeyRecord {
  return {
    kid: randomText(),
    jwk: { kty: "OKP", crv: "Ed25519", x: randomText() },
    principal: randomPrincipal(),
    scopes: SCOPES,
    enrolledAtMs: NOW_MS,
    endsAtMs: undefined,
    ...rest,
  }
}

/** A JWK's members have no order. */
const jwkText = (jwk: object): string => JSON.stringify(Object.entries(jwk).sort())

const TERMS: RecordTerms<SigningKeyRecord> = {
  create: record,
  idOf: ({ kid }) => kid,
  textOf: ({ kid, jwk, principal, enrolledAtMs, endsAtMs }) => ({
    kid,
    jwk: jwkText(jwk),
    principal,
    enrolledAtMs,
    endsAtMs,
  }),
}

function assertSame(found: SigningKeyRecord | undefined, expected: SigningKeyRecord, what: string): void {
  assertKept(TERMS, found, expected, what)
}

/**
 * The cases that a store of signing keys must pass.
 *
 * A store that gives a key to a second principal fails them, as does one that brings back what was revoked.
 *
 * @example
 * ```ts
 * import { memorySigningKeyStore } from "sealwire/server"
 * import { signingKeyStoreContract } from "sealwire/testing"
 *
 * const cases = signingKeyStoreContract({ create: () => memorySigningKeyStore() }) // your store instead
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function signingKeyStoreContract(options: SigningKeyStoreContractOptions): ContractCase[] {
  return contractOver(options, CASES, sharesThroughTwo)
}

const CASES: Readonly<Record<string, StoreCase<SigningKeyStore>>> = {
  ...endingRecordCases<SigningKeyRecord, SigningKeyStore>(TERMS),

  "finds a record as it was added": async (store) => {
    const p256 = { kty: "EC", crv: "P-256", x: randomText(), y: randomText() }
    const all = record({ jwk: p256, scopes: [], endsAtMs: NOW_MS + 1 })
    const least = record()
    assert(await store.add(all), "a new record to be added")
    assert(await store.add(least), "a new record to be added")
    assertSame(await store.find(all.kid), all, "a record")
    assertSame(await store.find(least.kid), least, "a record without an end")
  },

  "knows no other key": async (store) => {
    const kid = randomText()
    assert((await store.find(kid)) === undefined, "a key that nobody added not to be found")
    assert((await store.end(kid, 0)) === undefined, "a key that nobody added not to be ended")
    assert((await store.find(kid)) === undefined, "a key that nobody added not to be found after an end")
  },

  "leaves a key with its first principal, also when it was revoked": async (store) => {
    const first = record()
    assert(await store.add(first), "a new record to be added")
    assert(!(await store.add(record({ kid: first.kid }))), "a second record of a key to be refused")
    assertSame(await store.find(first.kid), first, "the first record")
    await store.end(first.kid, 0)
    assert(!(await store.add(record({ kid: first.kid }))), "a key that was revoked to be taken")
    assertSame(await store.find(first.kid), { ...first, endsAtMs: 0 }, "the first record, revoked,")
  },

  "gives one of 20 adds at once the key": async (store) => {
    const kid = randomText()
    const principals = Array.from({ length: 20 }, randomPrincipal)
    const adds = principals.map(async (principal) => store.add(record({ kid, principal })))
    const added = await Promise.all(adds)
    const winners = principals.filter((_, n) => added[n])
    assert(winners.length === 1, `one of 20 records of a key to be added, not ${winners.length}`)
    const owner = (await store.find(kid))?.principal
    assert(owner === winners[0], "the key to be of who was told that it is his")
  },

  "gives records that can be changed without changing what it holds": async (store) => {
    const added = record()
    const given = { ...added, jwk: { ...added.jwk }, scopes: [...added.scopes] }
    await store.add(given)
    given.scopes.push("admin")
    given.jwk["x"] = randomText()
    const found = (await store.find(added.kid)) as
      { scopes: string[]; principal: string; jwk: Record<string, unknown> } | undefined
    found?.scopes.push("admin")
    if (found) {
      found.principal = "another"
      found.jwk["x"] = randomText()
    }
    assertSame(await store.find(added.kid), added, "a record")
  },
}

async function sharesThroughTwo(store: SigningKeyStore, other: SigningKeyStore): Promise<void> {
  const added = record()
  await store.add(added)
  assertSame(await other.find(added.kid), added, "a record, through another handle,")
  assert(!(await other.add(record({ kid: added.kid }))), "a key to be taken, through another handle")
  await other.end(added.kid, 0)
  assert((await store.find(added.kid))?.endsAtMs === 0, "a revocation to be seen through another handle")
}
