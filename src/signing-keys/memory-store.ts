/**
 * The signing keys of clients in this process's memory.
 *
 * @module
 */

import type { SigningKeyRecord, SigningKeyStore } from "./record.ts"

/** A copy that nobody else holds. */
const copyOf = ({ kid, jwk, principal, scopes, ...times }: SigningKeyRecord): SigningKeyRecord => {
  const { enrolledAtMs, endsAtMs } = times
  return { kid, jwk: { ...jwk }, principal, scopes: [...scopes], enrolledAtMs, endsAtMs }
}

/** Signing keys in this process's memory: for tests, and for one process that enrols anew when it starts. */
export function memorySigningKeyStore(): SigningKeyStore {
  const held = new Map<string, SigningKeyRecord>()
  return {
    add(record) {
      if (held.has(record.kid)) return false
      held.set(record.kid, copyOf(record))
      return true
    },
    find(kid) {
      const record = held.get(kid)
      return record && copyOf(record)
    },
    list: (principal) =>
      [...held.values()]
        .filter((record) => principal === undefined || record.principal === principal)
        .map(copyOf),
    end(kid, endsAtMs) {
      const record = held.get(kid)
      if (!record) return undefined
      const sooner = Math.min(record.endsAtMs ?? endsAtMs, endsAtMs)
      held.set(kid, { ...record, endsAtMs: sooner })
      return sooner
    },
  }
}
