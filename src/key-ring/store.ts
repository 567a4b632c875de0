/**
 * Where a ring lies: two texts with version numbers, which many servers read, and each writes only over what it has read.
 *
 * @module
 */

/** The two texts: the keys and their times, and the counters of their use. Private keys are in the first, under the ring's protection. */
export type KeyRingText = "ring" | "uses"

/** A text and its version. */
export interface StoredText {
  readonly version: number
  readonly text: string
}

/**
 * Keeps the texts of one ring. Implement this to use another database.
 *
 * Called by every server once in a while, never while a message waits. Losing the text `ring` is losing the keys: it must be on
 * a disk before `save` answers.
 */
export interface KeyRingStore {
  /**
   * The latest version that was saved.
   *
   * @returns `undefined` when there is none.
   * @throws Anything, when that is not known.
   */
  load(name: KeyRingText): Promise<StoredText | undefined>
  /**
   * Saves a text of up to a megabyte as `version`, if the latest is the one before it: none before version 1.
   *
   * Must be atomic across every process that shares the store, and against a process that is killed: of two concurrent calls with one version
   * exactly one gets `true`, and `load` gives a text that was saved, never a part of one.
   *
   * @returns `false` when another came first; nothing is changed then.
   * @throws Anything, when it is not known whether the text was saved.
   */
  save(name: KeyRingText, text: string, version: number): Promise<boolean>
}

/** A store in memory, for tests, and for a ring that ends with its process. */
export function memoryKeyRingStore(): KeyRingStore {
  const texts = new Map<KeyRingText, StoredText>()
  return {
    load: async (name) => texts.get(name),
    async save(name, text, version) {
      if ((texts.get(name)?.version ?? 0) !== version - 1) return false
      texts.set(name, Object.freeze({ version, text }))
      return true
    },
  }
}
