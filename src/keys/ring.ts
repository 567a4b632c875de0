/**
 * A key ring: the recipient keys that a reader opens with, each in a state of its life. docs/protocol.md §7, last paragraph.
 *
 * @module
 */

import { materialOf, type PrivateKey, type PublicKey } from "./key.ts"

/**
 * - `pending`: opens, is not published yet. Every server must have it before any client may seal to it.
 * - `active`: opens, and is published; clients seal to the first active key.
 * - `retired`: opens, and is no longer published, until no message to it can be fresh.
 */
export type KeyState = "pending" | "active" | "retired"

/** A key of a ring and its state. */
export interface KeyRingEntry {
  readonly key: PrivateKey
  readonly state: KeyState
}

/** The keys that a reader opens with. `open` takes one wherever it takes a key. */
export interface ReadableKeyRing {
  /** The key of that name, in whatever state; undefined for an unknown name. */
  find(kid: string): PrivateKey | undefined
  /** The keys to publish: clients seal to the first. */
  published(): PublicKey[]
}

/** The private keys of a reader, in memory; `sealwire/key-ring` has one that lives in a store. */
export interface KeyRing extends ReadableKeyRing {
  /** Adds a key. Default state: `"pending"`. Throws a `RangeError` when the ring has that key. */
  add(key: PrivateKey, state?: KeyState): void
  /** `pending` → `active`: behind the active keys that are there. Throws a `RangeError` from any other state. */
  activate(kid: string): void
  /** `active` or `pending` → `retired`. Throws a `RangeError` from any other state. */
  retire(kid: string): void
  /** Forgets a `retired` key, for good. Throws a `RangeError` from any other state. */
  destroy(kid: string): void
  /** The keys to publish, in the order in which they became active. */
  published(): PublicKey[]
  /** All keys and their states, in the order in which they were added. */
  list(): KeyRingEntry[]
}

/** From which states each step may be taken. A step back would publish what clients were told is gone. */
const STEPS: Readonly<Record<"activate" | "retire" | "destroy", readonly KeyState[]>> = {
  activate: ["pending"],
  retire: ["active", "pending"],
  destroy: ["retired"],
}

/**
 * Creates a key ring.
 *
 * @param active - Keys that are in use already, first the one to seal to. Default: none.
 * @throws `TypeError` for anything but private keys; `RangeError` for a key twice.
 * @example
 * ```ts
 * import { createKeyRing, generateKeyPair } from "sealwire/keys"
 *
 * const { privateKey } = await generateKeyPair()
 * const ring = createKeyRing([privateKey])
 * const next = await generateKeyPair()
 * ring.add(next.privateKey) // on every server, before any of them goes on
 * ring.activate(next.privateKey.kid)
 * ring.retire(privateKey.kid) // still opens what is under way
 * ```
 */
export function createKeyRing(active: readonly PrivateKey[] = []): KeyRing {
  const entries = new Map<string, KeyRingEntry>()
  const publishing = new Set<string>()

  function add(key: PrivateKey, state: KeyState = "pending"): void {
    materialOf(key, "private", "key")
    if (!["pending", "active", "retired"].includes(state)) {
      throw new RangeError(`state must be pending, active or retired, not ${state}`)
    }
    if (entries.has(key.kid)) throw new RangeError(`the ring already has key ${key.kid}`)
    entries.set(key.kid, Object.freeze({ key, state }))
    if (state === "active") publishing.add(key.kid)
  }

  function step(kid: string, name: keyof typeof STEPS): KeyRingEntry {
    const entry = entries.get(kid)
    if (!entry) throw new RangeError(`the ring has no key ${kid}`)
    if (STEPS[name].includes(entry.state)) return entry
    throw new RangeError(`cannot ${name} key ${kid}: it is ${entry.state}, not ${STEPS[name].join(" or ")}`)
  }

  function move(kid: string, name: "activate" | "retire", state: KeyState): void {
    const { key } = step(kid, name)
    entries.set(kid, Object.freeze({ key, state }))
    if (state === "active") publishing.add(kid)
    else publishing.delete(kid)
  }

  for (const key of active) add(key, "active")
  return {
    add,
    activate: (kid) => {
      move(kid, "activate", "active")
    },
    retire: (kid) => {
      move(kid, "retire", "retired")
    },
    destroy: (kid) => {
      step(kid, "destroy")
      entries.delete(kid)
    },
    find: (kid) => entries.get(kid)?.key,
    published: () => [...publishing].flatMap((kid) => entries.get(kid)?.key.publicKey ?? []),
    list: () => [...entries.values()],
  }
}
