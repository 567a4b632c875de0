/**
 * Opening a ring: for a server, which follows it and rotates its keys, and for who looks after it. docs/guides/keys.md.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { assertFunction, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { openBackup } from "./backup.ts"
import { ringFailed } from "./book.ts"
import type { OnKeyRingEvent } from "./events.ts"
import type { KeyRingManager, StoredKeyRing } from "./manager.ts"
import { type KeyProtection, readProtection } from "./protection.ts"
import { newRecord, type RingParts, StoredRing } from "./ring.ts"
import type { RingState } from "./state.ts"
import { succeed, withKey } from "./steps.ts"
import type { KeyRingStore } from "./store.ts"
import { type KeyRingTerms, readTerms } from "./terms.ts"

/** Options of {@link manageKeyRing}. */
export interface ManageKeyRingOptions {
  /** Where the ring lies, such as `folderKeyRingStore("…")`. */
  readonly store: KeyRingStore
  /** How private keys are kept. Without it no key can be made, added or backed up. */
  readonly protection?: KeyProtection
  /** Unix milliseconds; default the system's clock. */
  readonly clock?: Clock
  /**
   * Takes a ring without a MAC where `protection` makes one: of an earlier edition, or mended by hand. The next change makes it authentic. Default:
   * false: whoever writes the store could take the MAC away.
   */
  readonly dangerouslyAcceptUnauthenticated?: boolean
}

/** Options of {@link openKeyRing}. */
export interface OpenKeyRingOptions extends ManageKeyRingOptions {
  readonly protection: KeyProtection
  /** Makes a ring with its first key when the store has none. Default: false: a store that lost its ring must not pass for a new one. */
  readonly create?: boolean
  /** Terms to write into the ring, where it has others. Default: the ring's own, and for a new ring the default of each. */
  readonly terms?: Partial<KeyRingTerms>
  /** Told what happened, and nothing secret. What it gives or throws is ignored. */
  readonly onEvent?: OnKeyRingEvent
}

const MANAGE_OPTIONS = ["store", "protection", "clock", "dangerouslyAcceptUnauthenticated"]

function readStore(store: KeyRingStore): KeyRingStore {
  const members = (store as Partial<KeyRingStore> | undefined) ?? {}
  if (typeof members.load === "function" && typeof members.save === "function") return store
  throw new TypeError(`options.store must be a store such as memoryKeyRingStore(), not ${describe(store)}`)
}

function readParts(options: ManageKeyRingOptions & Partial<OpenKeyRingOptions>): RingParts {
  const { store, protection, clock = systemClock, onEvent } = options
  assertFunction(clock, "options.clock")
  if (onEvent !== undefined) assertFunction(onEvent, "options.onEvent")
  const keeper = protection === undefined ? undefined : readProtection(protection)
  const acceptsUnauthenticated = options.dangerouslyAcceptUnauthenticated === true
  return { store: readStore(store), keeper, clock, onEvent, acceptsUnauthenticated }
}

/**
 * Opens a ring to look after it: takes no step by itself. Without `protection` no private key is loaded.
 *
 * @throws `SealwireError` `ERR_STORE` when there is no ring, or the store fails; `ERR_KEY` for a wrong passphrase or wrapping key, and for a ring
 *   that was changed without it.
 */
export async function manageKeyRing(options: ManageKeyRingOptions): Promise<KeyRingManager> {
  assertOptions(options, "options", MANAGE_OPTIONS)
  const ring = new StoredRing(readParts(options))
  await ring.refresh()
  return ring
}

/** A new ring: its first key is published at once, since nobody can have asked for another. */
async function firstState({ keeper, clock }: RingParts, terms: KeyRingTerms): Promise<RingState> {
  if (!keeper) throw new TypeError("options.protection must say how private keys are kept")
  const { key, text } = await keeper.make(terms.modulusBits)
  const nowMs = clock()
  const empty = { terms, savedAtMs: nowMs, changedAtMs: nowMs, keys: [] }
  return succeed(withKey(empty, newRecord(key.kid, { by: keeper.by, text }, nowMs)), key.kid, nowMs)
}

/**
 * Opens a ring at a server: follows what is stored, and takes the steps that are due. Every server of a fleet does so with the same
 * store; compare-and-set decides which of them takes a step.
 *
 * @throws `SealwireError` `ERR_STORE` when there is no ring and `create` is not set, or the store fails; `ERR_KEY` for a wrong passphrase
 *   or wrapping key; `ERR_KEY_UNAVAILABLE` when a key service cannot be asked.
 * @example
 * ```ts
 * import { memoryKeyRingStore, openKeyRing } from "sealwire/key-ring"
 * import { createReplayGuard, memoryStore, open, seal } from "sealwire"
 *
 * const store = memoryKeyRingStore() // on a server: folderKeyRingStore, postgresKeyRingStore or redisKeyRingStore
 * const ring = await openKeyRing({ store, protection: { passphrase: "correct horse battery staple" }, create: true })
 * const [to] = ring.published()
 * if (!to) throw new Error("nothing is published")
 * const envelope = await seal("hello", { to })
 * const replay = createReplayGuard({ store: memoryStore({ dangerouslyForgetOnRestart: true }) })
 * const opened = await open(envelope, { with: ring, replay })
 * opened.text() // "hello"
 * await ring.close()
 * ```
 */
export async function openKeyRing(options: OpenKeyRingOptions): Promise<StoredKeyRing> {
  assertOptions(options, "options", [...MANAGE_OPTIONS, "create", "terms", "onEvent"])
  const { create = false, terms = {} } = options
  const parts = readParts(options)
  if (!parts.keeper) throw new TypeError("options.protection must say how private keys are kept")
  const ring = new StoredRing(parts)
  const wanted = readTerms(terms)
  if (create && !(await ring.book.exists())) await ring.book.create(await firstState(parts, wanted))
  await ring.refresh()
  await ring.writeTerms(terms)
  ring.startFollowing()
  return ring
}

/** Options of {@link restoreKeyRing}. */
export interface RestoreKeyRingOptions extends Pick<ManageKeyRingOptions, "store" | "clock"> {
  /** How private keys are kept from now on; need not be as before. */
  readonly protection: KeyProtection
  /** What `backup` gave. */
  readonly backup: string
  /** The backup's passphrase. */
  readonly passphrase: string | Uint8Array
}

/**
 * Puts a backup into a store that has no ring. The directory's `seq` goes on above every earlier one.
 *
 * @throws `SealwireError` `ERR_KEY` for a wrong passphrase or a damaged backup; `ERR_STORE` when the store has a ring.
 */
export async function restoreKeyRing(options: RestoreKeyRingOptions): Promise<void> {
  assertOptions(options, "options", ["store", "protection", "clock", "backup", "passphrase"])
  const { backup, passphrase, ...rest } = options
  const parts = readParts(rest)
  if (!parts.keeper) throw new TypeError("options.protection must say how private keys are kept")
  const state = await openBackup(backup, parts.keeper, passphrase)
  const { book } = new StoredRing(parts)
  // what was published after the backup was made had a `seq` up to now
  const isMade = await book.create({ ...state, changedAtMs: parts.clock() })
  if (!isMade) throw ringFailed("has a ring already, and nothing is overwritten")
}
