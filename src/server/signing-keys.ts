/**
 * The signing keys of clients: enrolled by a proof of possession, known by their thumbprints, revoked.
 * docs/guides/authentication.md. What a signature covers is docs/protocol.md §3.3.
 *
 * @module
 */

import { type Clock, systemClock } from "../base/clock.ts"
import { openFailed, SealwireError } from "../base/errors.ts"
import { assertFunction, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { Jwk, MaybePromise } from "../crypto/backend.ts"
import { open } from "../envelope/open.ts"
import { assertGuard, keySelector } from "../envelope/reader.ts"
import { enrolmentContext } from "../http/enrolment.ts"
import { readOrigin } from "../http/wire.ts"
import { exportJwk } from "../keys/export-jwk.ts"
import type { PrivateKey, VerifyingKey } from "../keys/key.ts"
import type { ReadableKeyRing } from "../keys/ring.ts"
import { importVerifyingKey } from "../keys/signer.ts"
import type { ReplayGuard } from "../replay/guard.ts"
import type { SigningKeyRecord, SigningKeyStore } from "../signing-keys/record.ts"
import type { EnrolledSigner, Principal } from "./principal.ts"

/** Options of {@link createSigningKeys}. */
export interface SigningKeysOptions {
  /** Where they are kept. */
  readonly store: SigningKeyStore
  /** As the endpoint's. */
  readonly origin: string
  /** As the endpoint's. */
  readonly keys: PrivateKey | ReadableKeyRing
  /** As the endpoint's: a proof counts once. */
  readonly replay: ReplayGuard
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
}

/** What is asked for with a proof. */
export interface EnrolOptions {
  /** What the key is to allow, no more than the principal may. Default: the same as the principal. */
  readonly scopes?: readonly string[]
}

/** The signing keys of a server's clients. Made by {@link createSigningKeys}. */
export interface SigningKeys {
  /**
   * Enrols the key of a proof for the principal that sent it. The same proof of the same key again, by the same principal,
   * changes nothing.
   *
   * @param proof - What the client's `proveSigningKey` gave, parsed from JSON. Anything is allowed.
   * @param principal - Who sent it, authenticated by something else.
   * @throws `SealwireError` `ERR_OPEN_FAILED` when it proves nothing for this server and principal; `ERR_KEY` for a key that
   *   the protocol refuses, or that another principal has enrolled, or that was revoked; and what `open` throws.
   *   `RangeError` for scopes that the principal does not have.
   */
  enrol(
    proof: unknown,
    principal: Pick<Principal, "id" | "scopes">,
    options?: EnrolOptions,
  ): Promise<SigningKeyRecord>
  /** The enrolled key with a thumbprint; undefined where there is none, or it was revoked. */
  find(kid: string): Promise<EnrolledSigner | undefined>
  /** Ends a key at once and for ever; tells whether there was one. */
  revoke(kid: string): Promise<boolean>
  /** All keys, or those of one principal; also those that were revoked. */
  list(principal?: string): Promise<SigningKeyRecord[]>
}

const OPTIONS = ["store", "origin", "keys", "replay", "clock"]
const THUMBPRINT = /^[\w-]{43}$/
/** Importing one again costs more than finding it. */
const MAX_IMPORTED = 1000

async function asked<Answer>(question: () => MaybePromise<Answer>): Promise<Answer> {
  try {
    return await question()
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_STORE", "the store of signing keys failed", { cause })
  }
}

function readProof(proof: unknown): { readonly jwk: Jwk; readonly envelope: string } {
  const { jwk, proof: envelope } = (proof ?? {}) as Readonly<Record<string, unknown>>
  if (typeof jwk !== "object" || jwk === null || typeof envelope !== "string") throw openFailed()
  return { jwk: jwk as Jwk, envelope }
}

function readScopes({ scopes }: EnrolOptions, principal: Pick<Principal, "scopes">): readonly string[] {
  if (scopes === undefined) return principal.scopes
  const excess = scopes.find((scope) => !principal.scopes.includes(scope))
  if (excess === undefined) return scopes
  throw new RangeError("options.scopes must not have more than the principal has")
}

class Registry {
  readonly #options: SigningKeysOptions
  readonly #clock: Clock
  readonly #imported = new Map<string, VerifyingKey>()

  constructor(options: SigningKeysOptions, origin: string) {
    this.#options = { ...options, origin }
    this.#clock = options.clock ?? systemClock
  }

  async enrol(
    proof: unknown,
    principal: Pick<Principal, "id" | "scopes">,
    options: EnrolOptions,
  ): Promise<SigningKeyRecord> {
    const { jwk, envelope } = readProof(proof)
    const scopes = readScopes(options, principal)
    const { origin, keys, replay, store } = this.#options
    const key = await importVerifyingKey(jwk)
    const context = enrolmentContext(origin, principal.id)
    await open(envelope, { with: keys, context, replay, signedBy: key, maxMessageBytes: 1 })
    const { kid } = key
    const record = {
      kid,
      jwk: await exportJwk(key),
      principal: principal.id,
      scopes: [...scopes],
      enrolledAtMs: Math.floor(this.#clock()),
      endsAtMs: undefined,
    }
    if (await asked(() => store.add(record))) return record
    const held = await asked(() => store.find(kid))
    if (held?.principal === principal.id && this.#isLive(held)) return held
    throw new SealwireError("ERR_KEY", "this signing key belongs to another principal, or was revoked")
  }

  async find(kid: string): Promise<EnrolledSigner | undefined> {
    if (!THUMBPRINT.test(kid)) return undefined
    const record = await asked(() => this.#options.store.find(kid))
    if (!record || !this.#isLive(record)) return undefined
    const key = await this.#keyOf(record)
    // a record under another key's name is no record of that key
    if (key.kid !== kid) return undefined
    return { key, principal: record.principal, scopes: record.scopes }
  }

  async revoke(kid: string): Promise<boolean> {
    // 0, not now: a clock that is set back must not bring it back
    return (await asked(() => this.#options.store.end(kid, 0))) === 0
  }

  #isLive({ endsAtMs }: SigningKeyRecord): boolean {
    return endsAtMs === undefined || this.#clock() < endsAtMs
  }

  async #keyOf({ kid, jwk }: SigningKeyRecord): Promise<VerifyingKey> {
    const imported = this.#imported.get(kid)
    if (imported) return imported
    const key = await importVerifyingKey(jwk)
    const [oldest] = this.#imported.keys()
    if (this.#imported.size >= MAX_IMPORTED && oldest !== undefined) this.#imported.delete(oldest)
    this.#imported.set(key.kid, key)
    return key
  }
}

/**
 * The signing keys of a server's clients. Each look-up asks the store, so that a revoked key ends at once, in every process.
 *
 * @throws `TypeError` for a wrong option.
 */
export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  assertOptions(options, "options", OPTIONS)
  const { store, keys, replay, clock } = options
  const members = ((store as unknown) ?? {}) as Readonly<Record<string, unknown>>
  if (!["add", "find", "list", "end"].every((method) => typeof members[method] === "function")) {
    throw new TypeError(`options.store must have add, find, list and end; it is ${describe(store)}`)
  }
  keySelector(keys, "options.keys")
  assertGuard(replay)
  if (clock !== undefined) assertFunction(clock, "options.clock")
  const registry = new Registry(options, readOrigin(options.origin, "options.origin"))
  return {
    enrol: (proof, principal, how = {}) => registry.enrol(proof, principal, how),
    find: (kid) => registry.find(kid),
    revoke: (kid) => registry.revoke(kid),
    list: (principal) => asked(() => store.list(principal)),
  }
}
