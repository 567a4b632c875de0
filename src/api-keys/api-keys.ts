/**
 * API keys: made, checked, rotated, revoked. The key itself is in one place only, the answer of the call that made it.
 *
 * @module
 */

import { equalConstantTime } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { encodeAscii } from "../base/text.ts"
import type { MaybePromise } from "../crypto/backend.ts"
import { CreatedApiKey } from "./created-key.ts"
import { generateKey, hashOf, idOfKey, isId } from "./key-text.ts"
import {
  type ApiKeysOptions,
  type CreateApiKeyOptions,
  type Draft,
  type KeysTerms,
  readDraft,
  readKeysOptions,
  readRotation,
  type RotateApiKeyOptions,
} from "./options.ts"
import type { ApiKeyRecord } from "./record.ts"

/** A key without what it is checked by. */
export type ApiKeySummary = Omit<ApiKeyRecord, "hash">

/** Why a key was refused: for the operator, never for the peer. */
export type ApiKeyFailure = "malformed" | "unknown" | "wrong" | "ended"

/** What came of checking a key. `id` is as the peer gave it: 16 letters and digits that anybody can write. */
export type ApiKeyVerdict =
  | {
      readonly valid: true
      readonly id: string
      readonly principal: string
      readonly scopes: readonly string[]
    }
  | { readonly valid: false; readonly id: string | undefined; readonly reason: ApiKeyFailure }

/** The API keys of a server. Made by {@link createApiKeys}. */
export interface ApiKeys {
  /** What each key begins with. */
  readonly prefix: string
  /**
   * Makes a key.
   *
   * @throws `TypeError` or `RangeError` for a wrong option; `SealwireError` `ERR_STORE`, as all methods.
   */
  create(options: CreateApiKeyOptions): Promise<CreatedApiKey>
  /** Checks a key. An unknown id takes the same work as a wrong secret, and neither changes anything. */
  verify(key: string): Promise<ApiKeyVerdict>
  /**
   * Makes a key for the same principal and scopes, and has the old one end after the overlap.
   *
   * @throws `RangeError` when there is no such key, or it has ended.
   */
  rotate(id: string, options?: RotateApiKeyOptions): Promise<CreatedApiKey>
  /** Ends a key at once and for ever; tells whether there was one. */
  revoke(id: string): Promise<boolean>
  /** All keys, or those of one principal, the oldest first; also those that have ended. */
  list(principal?: string): Promise<ApiKeySummary[]>
}

/** Compared with where there is no record. */
const NO_HASH = "A".repeat(43)

/** Whatever a store throws, the request is refused. */
async function asked<Answer>(question: () => MaybePromise<Answer>): Promise<Answer> {
  try {
    return await question()
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_STORE", "the API key store failed", { cause })
  }
}

class Keys {
  readonly #terms: KeysTerms
  /** Uses that are being noted: many requests at once are one. */
  readonly #touching = new Set<string>()

  constructor(terms: KeysTerms) {
    this.#terms = terms
  }

  async create({ principal, scopes, lifeMs }: Draft): Promise<CreatedApiKey> {
    const { store, prefix, pepper, clock } = this.#terms
    const { id, key } = generateKey(prefix)
    const createdAtMs = Math.floor(clock())
    const endsAtMs = lifeMs === undefined ? undefined : createdAtMs + lifeMs
    const hash = await hashOf(key, pepper)
    const record = { id, hash, principal, scopes, createdAtMs, endsAtMs, lastUsedAtMs: undefined }
    // 80 random bits: another record under the id is a fault of the store
    if (!(await asked(() => store.add(record))))
      throw new SealwireError("ERR_STORE", "the id of a new API key is taken")
    return new CreatedApiKey(record, key)
  }

  async verify(key: string): Promise<ApiKeyVerdict> {
    const { store, prefix, pepper, clock } = this.#terms
    const id = typeof key === "string" ? idOfKey(key, prefix) : undefined
    if (id === undefined) return { valid: false, id, reason: "malformed" }
    const record = await asked(() => store.find(id))
    const isRight = equalConstantTime(
      encodeAscii(await hashOf(key, pepper)),
      encodeAscii(record?.hash ?? NO_HASH),
    )
    if (!record) return { valid: false, id, reason: "unknown" }
    if (!isRight) return { valid: false, id, reason: "wrong" }
    const nowMs = Math.floor(clock())
    if (!isLive(record, nowMs)) return { valid: false, id, reason: "ended" }
    this.#touch(record, nowMs)
    return { valid: true, id, principal: record.principal, scopes: record.scopes }
  }

  async rotate(id: string, options: RotateApiKeyOptions): Promise<CreatedApiKey> {
    const { store, clock } = this.#terms
    const { overlapMs, lifeMs } = readRotation(options)
    const record = await this.#find(id)
    const nowMs = Math.floor(clock())
    // the old one first: were it revoked at this moment, it would not live on in a new one
    const isReplaced =
      record && isLive(record, nowMs) && (await asked(() => store.end(id, nowMs + overlapMs)))
    if (!isReplaced) throw new RangeError("id must be that of an API key that has not ended")
    const { principal, scopes, createdAtMs, endsAtMs } = record
    const itsLifeMs = endsAtMs === undefined ? undefined : endsAtMs - createdAtMs
    return this.create({ principal, scopes, lifeMs: lifeMs ?? itsLifeMs })
  }

  async revoke(id: string): Promise<boolean> {
    // 0, not now: a clock that is set back must not bring it back
    return (await this.#find(id)) !== undefined && (await asked(() => this.#terms.store.end(id, 0))) === 0
  }

  async list(principal: string | undefined): Promise<ApiKeySummary[]> {
    const records = await asked(() => this.#terms.store.list(principal))
    return records.map(({ hash: _, ...summary }) => summary).toSorted((a, b) => a.createdAtMs - b.createdAtMs)
  }

  #find(id: string): Promise<ApiKeyRecord | undefined> {
    return isId(id) ? asked(() => this.#terms.store.find(id)) : Promise.resolve(undefined)
  }

  /** Beside the request: when a key was last used is no reason to refuse one. */
  #touch({ id, lastUsedAtMs = -Infinity }: ApiKeyRecord, nowMs: number): void {
    const { store, touchEveryMs } = this.#terms
    if (nowMs - lastUsedAtMs < touchEveryMs || this.#touching.has(id)) return
    this.#touching.add(id)
    void asked(() => store.touch(id, nowMs))
      .catch(() => undefined)
      .finally(() => this.#touching.delete(id))
  }
}

const isLive = ({ endsAtMs }: ApiKeyRecord, nowMs: number): boolean =>
  endsAtMs === undefined || nowMs < endsAtMs

/**
 * The API keys of a server. Checking one asks the store each time, so that a revoked key ends at once, in every process.
 *
 * @throws `TypeError` or `RangeError` for a wrong option.
 * @example
 * ```ts
 * import { createApiKeys, memoryApiKeyStore } from "sealwire/api-keys"
 *
 * const apiKeys = createApiKeys({ store: memoryApiKeyStore() })
 * const created = await apiKeys.create({ principal: "acme", scopes: ["transfers:write"] })
 * const verdict = await apiKeys.verify(created.key)
 * verdict.valid // true
 * ```
 */
export function createApiKeys(options: ApiKeysOptions): ApiKeys {
  const terms = readKeysOptions(options)
  const keys = new Keys(terms)
  return {
    prefix: terms.prefix,
    create: async (wanted) => keys.create(readDraft(wanted)),
    verify: (key) => keys.verify(key),
    rotate: (id, how = {}) => keys.rotate(id, how),
    revoke: (id) => keys.revoke(id),
    list: (principal) => keys.list(principal),
  }
}
