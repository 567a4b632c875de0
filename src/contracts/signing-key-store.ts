/**
 * What every store of clients' signing keys must do, as cases that any test runner can run. Uses fresh random ids and principals
 * throughout.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { assertOptions } from "../base/options.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
import { assert, type ContractCase } from "./assert.ts"

/** Options of {@link signingKeyStoreContract}. */
export interface SigningKeyStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time. */
  readonly create: () => MaybePromise<SigningKeyStore>
  /** A second handle on the records of a store that `create` gave. Absent: the case that needs one is left out. */
  readonly reopen?: (store: SigningKeyStore) => MaybePromise<SigningKeyStore>
}

type Case = (store: SigningKeyStore) => Promise<void>

const NOW_MS = 1_767_225_600_000

const random = (length: number): string => encodeBase64url(crypto.getRandomValues(new Uint8Array(length)))

/** A principal that a careless store would trip over. */
const randomPrincipal = (): string => `o'Brien\\"$1;--%_${random(9)}`

function record(rest: Partial<SigningKeyRecord> = {}): SigningKeyRecord {
  return {
    kid: random(32),
    jwk: { kty: "OKP", crv: "Ed25519", x: random(32) },
    principal: randomPrincipal(),
    scopes: ["transfers:write", `'"\\$$`],
    enrolledAtMs: NOW_MS,
    endsAtMs: undefined,
    ...rest,
  }
}

const MEMBERS = ["kid", "principal", "enrolledAtMs", "endsAtMs"] as const

/** A JWK's members have no order. */
const jwkText = (jwk: object | undefined): string => JSON.stringify(Object.entries(jwk ?? {}).sort())

function assertSame(found: SigningKeyRecord | undefined, expected: SigningKeyRecord, what: string): void {
  assert(found !== undefined, `${what} to be found`)
  for (const member of MEMBERS) {
    assert(found?.[member] === expected[member], `${what} to keep its ${member}`)
  }
  assert(jwkText(found?.jwk) === jwkText(expected.jwk), `${what} to keep its jwk`)
  const isSame = JSON.stringify(found?.scopes) === JSON.stringify(expected.scopes)
  assert(isSame, `${what} to keep its scopes, in their order`)
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
    const p256 = { kty: "EC", crv: "P-256", x: random(32), y: random(32) }
    const all = record({ jwk: p256, scopes: [], endsAtMs: NOW_MS + 1 })
    const least = record()
    assert(await store.add(all), "a new record to be added")
    assert(await store.add(least), "a new record to be added")
    assertSame(await store.find(all.kid), all, "a record")
    assertSame(await store.find(least.kid), least, "a record without an end")
  },

  "knows no other key": async (store) => {
    const kid = random(32)
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
    const kid = random(32)
    const principals = Array.from({ length: 20 }, randomPrincipal)
    const adds = principals.map(async (principal) => store.add(record({ kid, principal })))
    const added = await Promise.all(adds)
    const winners = principals.filter((_, n) => added[n])
    assert(winners.length === 1, `one of 20 records of a key to be added, not ${winners.length}`)
    const owner = (await store.find(kid))?.principal
    assert(owner === winners[0], "the key to be of who was told that it is his")
  },

  "moves an end to an earlier time, and never to a later one": async (store) => {
    const { kid } = record()
    await store.add(record({ kid }))
    assert((await store.end(kid, NOW_MS + 9000)) === NOW_MS + 9000, "a key without an end to get one")
    assert((await store.end(kid, NOW_MS + 5000)) === NOW_MS + 5000, "an end to move to an earlier time")
    assert((await store.end(kid, NOW_MS + 7000)) === NOW_MS + 5000, "an end not to move to a later time")
    assert((await store.find(kid))?.endsAtMs === NOW_MS + 5000, "the earliest end to be kept")
  },

  "keeps a revocation among 20 other ends at once": async (store) => {
    const { kid } = record()
    await store.add(record({ kid }))
    const ends = Array.from({ length: 20 }, async (_, n) => store.end(kid, n === 10 ? 0 : NOW_MS + n))
    await Promise.all(ends)
    assert((await store.find(kid))?.endsAtMs === 0, "a revocation not to be overwritten")
    assert((await store.end(kid, NOW_MS)) === 0, "a revoked key to stay so")
  },

  "lists all, or those of one principal": async (store) => {
    const principal = randomPrincipal()
    const [first, second, other] = [record({ principal }), record({ principal, endsAtMs: 0 }), record()]
    for (const added of [first, second, other]) await store.add(added)
    const mine = await store.list(principal)
    assert(mine.length === 2, `the list of a principal to have 2 records, not ${mine.length}`)
    const find = (kid: string): SigningKeyRecord | undefined => mine.find((listed) => listed.kid === kid)
    assertSame(find(first.kid), first, "a listed record")
    assertSame(find(second.kid), second, "a listed record that has ended")
    const kids = (await store.list()).map(({ kid }) => kid)
    assert(
      [first, second, other].every(({ kid }) => kids.includes(kid)),
      "the list of all to have all",
    )
    const none = await store.list(`${principal.slice(0, -1)}%`)
    assert(none.length === 0, "a principal's name not to be a pattern")
  },

  "gives records that can be changed without changing what it holds": async (store) => {
    const added = record()
    const given = { ...added, jwk: { ...added.jwk }, scopes: [...added.scopes] }
    await store.add(given)
    given.scopes.push("admin")
    given.jwk["x"] = random(32)
    const found = (await store.find(added.kid)) as
      { scopes: string[]; principal: string; jwk: Record<string, unknown> } | undefined
    found?.scopes.push("admin")
    if (found) {
      found.principal = "another"
      found.jwk["x"] = random(32)
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
