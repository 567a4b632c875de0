/**
 * The highest `seq` of key directories seen, so that an old one cannot come back. docs/protocol.md §7.
 *
 * @module
 */

import { createStore, get, update } from "idb-keyval"

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

const higher = (held: number | undefined, seq: number): number => Math.max(held ?? seq, seq)

function memorySeqStore(): SeqStore {
  const held = new Map<string, number>()
  return {
    highestSeq: async (origin) => held.get(origin),
    raise: async (origin, seq) => void held.set(origin, higher(held.get(origin), seq)),
  }
}

/** IndexedDB, or memory where that is missing or out of use, as in some private windows. */
export function platformSeqStore(): SeqStore {
  const memory = memorySeqStore()
  if (typeof indexedDB === "undefined") return memory
  const database = createStore("sealwire", "directories")
  return {
    highestSeq: (origin) =>
      get<number>(origin, database)
        .catch(() => undefined)
        .then((held) => held ?? memory.highestSeq(origin)),
    async raise(origin, seq) {
      await memory.raise(origin, seq)
      await update<number>(origin, (held) => higher(held, seq), database).catch(() => undefined)
    },
  }
}
