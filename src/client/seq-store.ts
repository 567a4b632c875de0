/**
 * The highest `seq` of key directories seen, so that an old one cannot come back. docs/protocol.md §7.
 *
 * @module
 */

import { get, update } from "idb-keyval"

import { databaseOf } from "./database.ts"

/** Remembers the highest `seq` of each origin's key directory. Implement this to keep it elsewhere than in IndexedDB. */
export interface SeqStore {
  /**
   * The highest `seq` seen. Called before each fetch of a directory.
   *
   * @returns Undefined where none was seen.
   * @throws Anything, when the answer is not known. The client then refuses the directory.
   */
  highestSeq(origin: string): Promise<number | undefined>
  /**
   * Records `seq`, unless a higher one is held. Called after each fetch, concurrently where several pages share the store:
   * comparing and writing must be one step.
   */
  raise(origin: string, seq: number): Promise<void>
}

/** IndexedDB, and memory where that is missing or out of use, as in some private windows. For the one origin of a client. */
export function platformSeqStore(): SeqStore {
  const database = databaseOf("sealwire", "directories")
  let seen = 0
  return {
    highestSeq: async (origin) => Math.max(seen, (await database((use) => get<number>(origin, use))) ?? 0),
    async raise(origin, seq) {
      seen = Math.max(seen, seq)
      await database((use) => update<number>(origin, (held = 0) => Math.max(held, seq), use))
    },
  }
}
