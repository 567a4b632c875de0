/**
 * What every session store must do, as cases that any test runner can run. docs/protocol.md §6.
 * Uses fresh random ids throughout; the store must be empty, or have room for a hundred sessions.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { isBytes } from "../base/bytes.ts"
import { assertOptions } from "../base/options.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import type { OpenEntry, SessionStore } from "../session/session-store.ts"
import type { ContractCase } from "./assert.ts"

/** Options of {@link sessionStoreContract}. */
export interface SessionStoreContractOptions {
  /** A store to test. Called once per case; may give the same one each time, unless it has sessions of others. */
  readonly create: () => MaybePromise<SessionStore>
  /** A second handle on the sessions of a store that `create` gave. Absent: the case that needs one is left out. */
  readonly reopen?: (store: SessionStore) => MaybePromise<SessionStore>
  /** Unix milliseconds. Default: the platform's clock. Cases bring times of their own, near this one. */
  readonly now?: () => number
}

interface Subject {
  readonly store: SessionStore
  readonly nowMs: number
}

const ROOM = { maxSessions: 1_000_000, maxPendingOffers: 1_000_000 }
const MINUTE_MS = 60_000

/**
 * The cases that a session store must pass.
 *
 * A store that reads first and writes later fails them, as does one that brings back what has ended, or forgets what lives.
 *
 * @example
 * ```ts
 * import { memorySessionStore } from "sealwire/session"
 * import { sessionStoreContract } from "sealwire/testing"
 *
 * const cases = sessionStoreContract({ create: () => memorySessionStore<Uint8Array>() }) // your store instead
 * for (const { run } of cases) await run() // with a test runner: test(name, run)
 * ```
 */
export function sessionStoreContract(options: SessionStoreContractOptions): ContractCase[] {
  assertOptions(options, "options", ["create", "reopen", "now"])
  const { create, reopen, now = Date.now } = options
  const cases = Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => run({ store: await create(), nowMs: Math.floor(now()) }),
  }))
  if (!reopen) return cases
  const run = async (): Promise<void> => {
    const store = await create()
    await sharesThroughTwo({ store, nowMs: Math.floor(now()) }, await reopen(store))
  }
  return [
    ...cases,
    { name: "shares sessions through two handles, and opens an offer once through both", run },
  ]
}

const CASES: Readonly<Record<string, (subject: Subject) => Promise<void>>> = {
  "finds an offer until its end, and not at it": async ({ store, nowMs }) => {
    const id = randomId()
    const content = randomBytes(300)
    await store.add(id, { content, key: undefined, endsAtMs: nowMs + MINUTE_MS }, ROOM, nowMs)
    const found = await store.find(id, nowMs + MINUTE_MS - 1)
    check(found?.state === "offered", "an offer that lives was not found")
    checkSame(found.content, content)
    check(found.endsAtMs === nowMs + MINUTE_MS, "an offer has another end")
    check((await store.find(id, nowMs + MINUTE_MS)) === undefined, "an offer was found at its end")
  },

  "knows no other id": async ({ store, nowMs }) => {
    const id = randomId()
    check((await store.find(id, nowMs)) === undefined, "a session was found that nobody added")
    check(!(await store.open(id, sessionEndingAt(nowMs + MINUTE_MS), nowMs)), "what is not there was opened")
    check(!(await store.touch(id, nowMs + MINUTE_MS, nowMs)), "what is not there was touched")
    check(!(await store.end(id)), "what is not there was ended")
  },

  "opens an offer once, and replaces its content": async ({ store, nowMs }) => {
    const id = await offered({ store, nowMs })
    const session = sessionEndingAt(nowMs + MINUTE_MS)
    check(await store.open(id, session, nowMs), "an offer was not opened")
    check(!(await store.open(id, sessionEndingAt(nowMs + MINUTE_MS), nowMs)), "an offer was opened twice")
    const found = await store.find(id, nowMs)
    check(found?.state === "open", "a session was not found")
    checkSame(found.content, session.content)
  },

  "gives one of 50 openings at once the offer": async ({ store, nowMs }) => {
    const id = await offered({ store, nowMs })
    const openings = Array.from({ length: 50 }, () =>
      store.open(id, sessionEndingAt(nowMs + MINUTE_MS), nowMs),
    )
    const winners = (await Promise.all(openings)).filter(Boolean).length
    check(winners === 1, `${winners} of 50 openings got the offer, not 1`)
  },

  "opens no offer at its end, or after it was ended": async ({ store, nowMs }) => {
    const late = await offered({ store, nowMs })
    const session = sessionEndingAt(nowMs + 10 * MINUTE_MS)
    check(!(await store.open(late, session, nowMs + MINUTE_MS)), "an offer was opened at its end")
    const ended = await offered({ store, nowMs })
    check(await store.end(ended), "an offer was not ended")
    check(!(await store.open(ended, sessionEndingAt(nowMs + MINUTE_MS), nowMs)), "an ended offer was opened")
  },

  "moves the end of a session on, and never back": async ({ store, nowMs }) => {
    const id = await opened({ store, nowMs }, nowMs + MINUTE_MS)
    check(await store.touch(id, nowMs + 2 * MINUTE_MS, nowMs + 1), "a session was not touched")
    check(await store.touch(id, nowMs + 30_000, nowMs + 2), "a session was not touched")
    const found = await store.find(id, nowMs + 2 * MINUTE_MS - 1)
    check(found?.endsAtMs === nowMs + 2 * MINUTE_MS, "a touch did not keep the later end")
    check((await store.find(id, nowMs + 2 * MINUTE_MS)) === undefined, "a session was found at its end")
  },

  "does not bring back what has ended": async ({ store, nowMs }) => {
    const expired = await opened({ store, nowMs }, nowMs + MINUTE_MS)
    check(
      !(await store.touch(expired, nowMs + 9 * MINUTE_MS, nowMs + MINUTE_MS)),
      "a session was touched at its end",
    )
    const ended = await opened({ store, nowMs }, nowMs + MINUTE_MS)
    check(await store.end(ended), "a session was not ended")
    check(!(await store.touch(ended, nowMs + MINUTE_MS, nowMs)), "an ended session was touched")
    check((await store.find(ended, nowMs)) === undefined, "an ended session was found")
    check(!(await store.end(ended)), "a session was ended twice")
  },

  "touches no offer": async ({ store, nowMs }) => {
    const id = await offered({ store, nowMs })
    check(!(await store.touch(id, nowMs + 9 * MINUTE_MS, nowMs)), "an offer was touched")
    check((await store.find(id, nowMs + MINUTE_MS)) === undefined, "an offer outlived its end")
  },

  "finds a session by its key, until the key's end": async ({ store, nowMs }) => {
    const keyId = encodeBase64url(randomBytes(32))
    check((await store.idOfKey(keyId, nowMs)) === undefined, "a key was found that nobody added")
    const id = randomId()
    const key = { id: keyId, endsAtMs: nowMs + 9 * MINUTE_MS }
    await store.add(id, { content: randomBytes(9), key, endsAtMs: nowMs + MINUTE_MS }, ROOM, nowMs)
    check((await store.idOfKey(keyId, nowMs)) === id, "an offer was not found by its key")
    await store.open(id, sessionEndingAt(nowMs + 5 * MINUTE_MS), nowMs)
    check((await store.idOfKey(keyId, nowMs)) === id, "a session was not found by its key")
    await store.end(id)
    await store.sweep(nowMs + 8 * MINUTE_MS)
    const lastMs = nowMs + 9 * MINUTE_MS - 1
    check((await store.idOfKey(keyId, lastMs)) === id, "the key of an ended session was forgotten too soon")
    check((await store.idOfKey(keyId, lastMs + 1)) === undefined, "a key was found at its end")
  },

  "ends and lists the sessions of one principal, and no others": async ({ store, nowMs }) => {
    const principal = encodeBase64url(randomBytes(32))
    const end = nowMs + MINUTE_MS
    const mine = [
      await opened({ store, nowMs }, end, principal),
      await opened({ store, nowMs }, end, principal),
    ]
    const other = await opened({ store, nowMs }, end, encodeBase64url(randomBytes(32)))
    const nobodys = await opened({ store, nowMs }, end)
    await opened({ store, nowMs }, nowMs + 1, principal)
    const listed = await store.list(principal, nowMs + 10)
    check(
      sameIds(
        listed.map(({ id }) => id),
        mine,
      ),
      "the list of a principal is not that of its sessions",
    )
    for (const session of listed) {
      check(session.principal === principal, "a session has another principal")
      check(session.openedAtMs === nowMs && session.endsAtMs === end, "a session has other times")
    }
    const all = (await store.list(undefined, nowMs + 10)).map(({ id }) => id)
    check(
      [...mine, other, nobodys].every((id) => all.includes(id)),
      "the list of all lacks a session",
    )
    const ended = await store.endAll(principal)
    check(ended >= 2 && ended <= 3, `${ended} sessions were ended, not 2`)
    for (const id of mine)
      check((await store.find(id, nowMs)) === undefined, "a session outlived its principal's")
    check((await store.find(other, nowMs)) !== undefined, "another principal's session was ended")
    check((await store.find(nobodys, nowMs)) !== undefined, "nobody's session was ended")
  },

  "lists no offers": async ({ store, nowMs }) => {
    const id = await offered({ store, nowMs })
    const listed = await store.list(undefined, nowMs)
    check(!listed.some((session) => session.id === id), "an offer was listed as a session")
  },

  "refuses at a limit, evicts nothing, and has room again when something ends": async ({ store, nowMs }) => {
    const held = await store.list(undefined, nowMs)
    const ids = [await offered({ store, nowMs }), await offered({ store, nowMs })]
    const room = held.length + 2
    await refusesOffer({ store, nowMs }, { ...ROOM, maxPendingOffers: 2 })
    await refusesOffer({ store, nowMs }, { ...ROOM, maxSessions: room })
    for (const id of ids) check((await store.find(id, nowMs)) !== undefined, "an offer was evicted")
    await store.open(ids[0] ?? "", sessionEndingAt(nowMs + 10 * MINUTE_MS), nowMs)
    await refusesOffer({ store, nowMs }, { ...ROOM, maxSessions: room })
    // an offer that is open now is pending no longer, and another one has run out by then
    const entry = { content: randomBytes(9), key: undefined, endsAtMs: nowMs + 3 * MINUTE_MS }
    await store.add(randomId(), entry, { ...ROOM, maxPendingOffers: 2 }, nowMs)
    await store.add(randomId(), entry, { ...ROOM, maxPendingOffers: 2 }, nowMs + MINUTE_MS)
    check((await store.find(ids[0] ?? "", nowMs)) !== undefined, "a session was evicted")
  },

  "lets in as many of 50 offers at once as there is room for": async ({ store, nowMs }) => {
    const held = (await store.list(undefined, nowMs)).length
    const entry = { content: randomBytes(9), key: undefined, endsAtMs: nowMs + MINUTE_MS }
    // a store that counts first and adds later does so by chance only
    for (let places = 5; places <= 50; places += 5) {
      const full = places % 2 ? { maxPendingOffers: places } : { maxSessions: held + places }
      const adding = Array.from({ length: 50 }, async () =>
        store.add(randomId(), entry, { ...ROOM, ...full }, nowMs),
      )
      const added = (await Promise.allSettled(adding)).filter(({ status }) => status === "fulfilled").length
      check(added === 5, `${added} of 50 offers found one of 5 places`)
    }
  },

  "sweeps what has ended, and nothing else": async ({ store, nowMs }) => {
    const lives = await opened({ store, nowMs }, nowMs + 10 * MINUTE_MS)
    const ended = await opened({ store, nowMs }, nowMs + MINUTE_MS)
    check(await store.sweep(nowMs + 2 * MINUTE_MS), "a sweep says that nothing is left")
    check((await store.find(lives, nowMs + 2 * MINUTE_MS)) !== undefined, "a sweep ended a session")
    check((await store.find(ended, nowMs + 2 * MINUTE_MS)) === undefined, "a sweep left what has ended")
  },
}

async function sharesThroughTwo({ store, nowMs }: Subject, other: SessionStore): Promise<void> {
  const id = await offered({ store, nowMs })
  const openings = Array.from({ length: 50 }, (_, i) =>
    (i % 2 ? store : other).open(id, sessionEndingAt(nowMs + MINUTE_MS), nowMs),
  )
  const winners = (await Promise.all(openings)).filter(Boolean).length
  check(winners === 1, `${winners} of 50 openings through two handles got the offer, not 1`)
  check((await other.find(id, nowMs))?.state === "open", "a session is not seen through the other handle")
  await other.end(id)
  check((await store.find(id, nowMs)) === undefined, "a session that another handle ended was found")
}

async function refusesOffer({ store, nowMs }: Subject, limits: typeof ROOM): Promise<void> {
  const entry = { content: randomBytes(9), key: undefined, endsAtMs: nowMs + MINUTE_MS }
  const id = randomId()
  const code = await (async () => store.add(id, entry, limits, nowMs))().then(
    () => "nothing",
    (error: unknown) => (error as { code?: unknown }).code,
  )
  check(code === "ERR_STORE_FULL", `a full store refused with ${String(code)}, not ERR_STORE_FULL`)
  check((await store.find(id, nowMs)) === undefined, "an offer that was refused is there")
}

async function offered({ store, nowMs }: Subject): Promise<string> {
  const id = randomId()
  const entry = { content: randomBytes(9), key: undefined, endsAtMs: nowMs + MINUTE_MS }
  await store.add(id, entry, ROOM, nowMs)
  return id
}

async function opened(subject: Subject, endsAtMs: number, principal?: string): Promise<string> {
  const id = await offered(subject)
  const session = { ...sessionEndingAt(endsAtMs), principal, openedAtMs: subject.nowMs }
  check(await subject.store.open(id, session, subject.nowMs), "an offer was not opened")
  return id
}

function sessionEndingAt(endsAtMs: number): OpenEntry<Uint8Array> {
  return { content: randomBytes(200), principal: undefined, openedAtMs: endsAtMs - MINUTE_MS, endsAtMs }
}

const sameIds = (a: string[], b: string[]): boolean => a.toSorted().join() === b.toSorted().join()

function checkSame(content: Uint8Array, expected: Uint8Array): void {
  const isSame =
    isBytes(content) && content.length === expected.length && content.every((byte, i) => byte === expected[i])
  check(isSame, "a content came back changed")
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

const randomBytes = (length: number): Uint8Array<ArrayBuffer> =>
  crypto.getRandomValues(new Uint8Array(length))
const randomId = (): string => encodeBase64url(randomBytes(16))
