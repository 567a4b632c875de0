/**
 * A set of 128-bit ids in flat memory: 21 to 43 bytes an id, however many there are.
 * Many small tables instead of one large one, so that growing moves few ids at a time and nobody waits long.
 * Knows nothing of time; see memory-store.ts.
 *
 * @module
 */

const ID_CHARACTERS = 43
const WORDS = 4
const CHARACTERS_PER_WORD = 6
const SMALLEST_TABLE_WORDS = 16 * WORDS
/** A table holds at most this many ids when the set is full: growing it takes a few milliseconds. */
const IDS_PER_TABLE = 65_536
/** Marks characters outside the base64url alphabet: one bit above the 64 values. */
const NOT_A_VALUE = 64

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const VALUES: Uint8Array = /* @__PURE__ */ valueTable()

function valueTable(): Uint8Array {
  const table = new Uint8Array(128).fill(NOT_A_VALUE)
  for (let i = 0; i < ALPHABET.length; i++) table[ALPHABET.charCodeAt(i)] = i
  return table
}

/**
 * Reads 128 bits of an id into the first four of `words`, without allocating.
 *
 * Six characters are 36 bits, of which a word keeps the last 32: every id bit is as good as another.
 *
 * @returns `false` when `id` is not 32 bytes in canonical base64url.
 */
export function readId(id: string, words: Int32Array): boolean {
  if (id.length !== ID_CHARACTERS) return false
  let codes = 0
  let values = 0
  let word = 0
  let at = 0
  for (let i = 0; i < WORDS; i++) {
    for (const end = at + CHARACTERS_PER_WORD; at < end; at++) {
      const code = id.charCodeAt(at)
      const value = VALUES[code & 127] ?? NOT_A_VALUE
      codes |= code
      values |= value
      word = (word << 6) | value
    }
    words[i] = word
  }
  let value = 0
  for (; at < ID_CHARACTERS; at++) {
    const code = id.charCodeAt(at)
    value = VALUES[code & 127] ?? NOT_A_VALUE
    codes |= code
    values |= value
  }
  // 0 marks an empty slot; two ids that become one this way only make the store refuse
  if (words[0] === 0) words[0] = 1
  // the last character carries four bits of the id; canonical text has zeros in the other two
  return codes < 128 && values < NOT_A_VALUE && (value & 3) === 0
}

/**
 * 32 bits that say where an id is looked for.
 *
 * Senders choose what their ids are made of, so the mixing starts from a secret: nobody can aim ids at one slot.
 */
export function hashWords(words: Int32Array, offset: number, secret: Int32Array): number {
  let hash = 0
  for (let i = 0; i < WORDS; i++) {
    hash ^= (words[offset + i] ?? 0) ^ (secret[i] ?? 0)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  }
  return hash ^ (hash >>> 16)
}

/** How many tables a set of at most `maxIds` is spread over: a power of two. */
export function tableCount(maxIds: number): number {
  let count = 1
  while (count * IDS_PER_TABLE < maxIds) count *= 2
  return count
}

const EMPTY_TABLE: Int32Array = /* @__PURE__ */ new Int32Array(WORDS)

/** A set of ids as {@link readId} reads them, found by their {@link hashWords}. */
export class IdTable {
  /** Ids in the set. */
  count = 0
  readonly #secret: Int32Array
  /** Open addressing with linear probing, four words a slot; the length is a power of two. */
  readonly #tables: Int32Array[]
  readonly #counts: Int32Array

  constructor(tables: number, secret: Int32Array) {
    this.#secret = secret
    this.#tables = new Array<Int32Array>(tables).fill(EMPTY_TABLE)
    this.#counts = new Int32Array(tables)
  }

  /**
   * Reads the slot where {@link has} begins, and decides nothing by it: over several sets, the waits for memory then
   * overlap, where those of `has` come one after another. A fifth more claims a second over forty buckets.
   */
  touch(hash: number): number {
    const table = this.#tables[hash & (this.#tables.length - 1)] ?? EMPTY_TABLE
    return table[firstSlot(table, hash)] ?? 0
  }

  /** Whether the id is in the set. */
  has(words: Int32Array, hash: number): boolean {
    const table = this.#tables[hash & (this.#tables.length - 1)] ?? EMPTY_TABLE
    for (let at = firstSlot(table, hash); ; at = nextSlot(table, at)) {
      if (table[at] === 0) return false
      if (
        table[at] === words[0] &&
        table[at + 1] === words[1] &&
        table[at + 2] === words[2] &&
        table[at + 3] === words[3]
      ) {
        return true
      }
    }
  }

  /** Adds an id that is not in the set. */
  add(words: Int32Array, hash: number): void {
    const which = hash & (this.#tables.length - 1)
    const count = (this.#counts[which] ?? 0) + 1
    let table = this.#tables[which] ?? EMPTY_TABLE
    // at most three quarters full: probes stay short
    if (count * WORDS * 4 > table.length * 3) {
      table = this.#grown(table)
      this.#tables[which] = table
    }
    place(table, words, 0, hash)
    this.#counts[which] = count
    this.count++
  }

  #grown(table: Int32Array): Int32Array {
    const grown = new Int32Array(Math.max(SMALLEST_TABLE_WORDS, table.length * 2))
    for (let at = 0; at < table.length; at += WORDS) {
      if (table[at] !== 0) place(grown, table, at, hashWords(table, at, this.#secret))
    }
    return grown
  }
}

// the low half of the hash picks the table, the high half the slot
function firstSlot(table: Int32Array, hash: number): number {
  return ((hash >>> 16) * WORDS) & (table.length - 1)
}

function nextSlot(table: Int32Array, at: number): number {
  return (at + WORDS) & (table.length - 1)
}

function place(table: Int32Array, words: Int32Array, offset: number, hash: number): void {
  let at = firstSlot(table, hash)
  while (table[at] !== 0) at = nextSlot(table, at)
  for (let i = 0; i < WORDS; i++) table[at + i] = words[offset + i] ?? 0
}
