/**
 * API keys in this process's memory, from where the operator keeps them: a file, a secret manager, configuration.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { ApiKeyRecord, ApiKeyStore } from "./record.ts"

/** Options of {@link memoryApiKeyStore}. */
export interface MemoryApiKeyStoreOptions {
  /** What it holds from the start, such as what `sealwire api-keys` wrote to a JSON file. Default: nothing. */
  readonly records?: readonly ApiKeyRecord[]
}

const isMoment = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

function isRecord(value: unknown): value is ApiKeyRecord {
  const record = (value ?? {}) as Partial<Record<keyof ApiKeyRecord, unknown>>
  const { id, hash, principal, scopes, createdAtMs, endsAtMs, lastUsedAtMs } = record
  return (
    [id, hash, principal].every((text) => typeof text === "string") &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === "string") &&
    isMoment(createdAtMs) &&
    (endsAtMs === undefined || isMoment(endsAtMs)) &&
    (lastUsedAtMs === undefined || isMoment(lastUsedAtMs))
  )
}

/** A copy that nobody else holds. */
const copyOf = ({ id, hash, principal, scopes, ...times }: ApiKeyRecord): ApiKeyRecord => {
  const { createdAtMs, endsAtMs, lastUsedAtMs } = times
  return { id, hash, principal, scopes: [...scopes], createdAtMs, endsAtMs, lastUsedAtMs }
}

/**
 * API keys in memory: for one process, and forgotten when it ends, save for what `records` brings again.
 *
 * @throws `TypeError` for records that are none, or share an id.
 */
export function memoryApiKeyStore(options: MemoryApiKeyStoreOptions = {}): ApiKeyStore {
  assertOptions(options, "options", ["records"])
  const { records = [] } = options
  if (!Array.isArray(records)) {
    throw new TypeError(`options.records must be an array, not ${describe(records)}`)
  }
  const held = new Map<string, ApiKeyRecord>()
  for (const record of records as readonly unknown[]) {
    if (!isRecord(record) || held.has(record.id)) {
      throw new TypeError("options.records must be records of API keys, each with an id of its own")
    }
    held.set(record.id, copyOf(record))
  }
  return {
    add(record) {
      if (held.has(record.id)) return false
      held.set(record.id, copyOf(record))
      return true
    },
    find(id) {
      const record = held.get(id)
      return record && copyOf(record)
    },
    list: (principal) =>
      [...held.values()]
        .filter((record) => principal === undefined || record.principal === principal)
        .map(copyOf),
    end(id, endsAtMs) {
      const record = held.get(id)
      if (!record) return undefined
      const sooner = Math.min(record.endsAtMs ?? endsAtMs, endsAtMs)
      held.set(id, { ...record, endsAtMs: sooner })
      return sooner
    },
    touch(id, usedAtMs) {
      const record = held.get(id)
      if (record) {
        held.set(id, { ...record, lastUsedAtMs: Math.max(record.lastUsedAtMs ?? usedAtMs, usedAtMs) })
      }
    },
  }
}
