import type { ReplayStore } from "../../src/replay/store.ts"

/** One question to a store. */
export interface Claim {
  readonly id: string
  readonly expiresAtMs: number
}

/** A store that never forgets, and that tells what it was asked. */
export interface SpyStore extends ReplayStore {
  readonly claims: readonly Claim[]
}

/** Creates a store over a `Set`. */
export function spyStore(rest: Partial<ReplayStore> = {}): SpyStore {
  const claims: Claim[] = []
  const held = new Set<string>()
  return {
    claims,
    claim(id, expiresAtMs) {
      claims.push({ id, expiresAtMs })
      const isNew = !held.has(id)
      held.add(id)
      return Promise.resolve(isNew)
    },
    ...rest,
  }
}
