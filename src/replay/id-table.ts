/**
 * A set of 128-bit ids, each with an end, in flat memory: 27 to 40 bytes an id, however many there are.
 * Many small tables instead of one large one, so that growing moves few ids at a time and nobody waits long.
 * An id past its end is no longer held, at no cost; its room comes back when its table is next rebuilt.
 *
 * @module
 */

const ID_CHARACTERS = 43
const WORDS = 4
const CHARACTERS_PER_WORD = 6
/** Marks characters outside the base64url alphabet: one bit above the 64 values. */
const NOT_A_VALUE = 64

/** A slot is the end of an id, 0 where there is none, and the words of the id. */
const SLOT = 1 + WORDS
const FEWEST_SLOTS = 16
/** Times the length of a table and a hash: the number of a slot. A product, because divisions are slow. */
const SLOTS_PER_WORD_AND_HASH = 2 ** -32 / SLOT
/** A table holds at most this many ids when the set is full: rebuilding it takes a few milliseconds. */
const IDS_PER_TABLE = 65_536

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
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** How many tables a set of at most `maxIds` is spread over: a power of two. */
function tableCount(maxIds: number): number {
  let count = 1
  while (count * IDS_PER_TABLE < maxIds) count *= 2
  return count
}

const NO_TABLE: Int32Array = /* @__PURE__ */ new Int32Array(SLOT)

/** A set of ids as {@link readId} reads them. Ends are positive 32-bit numbers in the caller's unit. */
export class IdTable {
  readonly #secret: Int32Array
  /** Open addressing with linear probing. */
  readonly #tables: Int32Array[]
  /** Slots in use in each table, those past their end included. */
  readonly #used: Int32Array

  constructor(maxIds: number, secret: Int32Array) {
    const count = tableCount(maxIds)
    this.#secret = secret
    this.#tables = new Array<Int32Array>(count).fill(NO_TABLE)
    this.#used = new Int32Array(count)
  }

  /** Whether the id is held: in the set, with an end after `past`. */
  has(words: Int32Array, hash: number, past: number): boolean {
    const table = this.#tables[hash & (this.#tables.length - 1)] ?? NO_TABLE
    for (let at = firstSlot(table, hash); ; at = nextSlot(table, at)) {
      const end = table[at] ?? 0
      if (end === 0) return false
      if (
        table[at + 1] === words[0] &&
        table[at + 2] === words[1] &&
        table[at + 3] === words[2] &&
        table[at + 4] === words[3] &&
        end > past
      ) {
        return true
      }
    }
  }

  /** Adds an id that is not held. */
  add(words: Int32Array, hash: number, end: number, past: number): void {
    const which = hash & (this.#tables.length - 1)
    let table = this.#tables[which] ?? NO_TABLE
    // at most three quarters full: probes stay short
    if (((this.#used[which] ?? 0) + 1) * 4 * SLOT > table.length * 3) table = this.#rebuild(which, past)
    place(table, end, words, 0, hash)
    this.#used[which] = (this.#used[which] ?? 0) + 1
  }

  /** Makes room in a table: leaves out what is past its end, and leaves it at most half full. */
  #rebuild(which: number, past: number): Int32Array {
    const table = this.#tables[which] ?? NO_TABLE
    let held = 0
    for (let at = 0; at < table.length; at += SLOT) if ((table[at] ?? 0) > past) held++
    const rebuilt = new Int32Array(Math.max(FEWEST_SLOTS, held * 2) * SLOT)
    for (let at = 0; at < table.length; at += SLOT) {
      const end = table[at] ?? 0
      if (end > past) place(rebuilt, end, table, at + 1, hashWords(table, at + 1, this.#secret))
    }
    this.#tables[which] = rebuilt
    this.#used[which] = held
    return rebuilt
  }
}

// The low bits of the hash pick the table, the high ones the slot. Slots are in the order of hashes, so that a table is
// rebuilt from one end of memory to the other.
function firstSlot(table: Int32Array, hash: number): number {
  return Math.floor((hash >>> 0) * (table.length * SLOTS_PER_WORD_AND_HASH)) * SLOT
}

function nextSlot(table: Int32Array, at: number): number {
  return at + SLOT < table.length ? at + SLOT : 0
}

function place(table: Int32Array, end: number, words: Int32Array, offset: number, hash: number): void {
  let at = firstSlot(table, hash)
  while (table[at] !== 0) at = nextSlot(table, at)
  table[at] = end
  for (let i = 0; i < WORDS; i++) table[at + 1 + i] = words[offset + i] ?? 0
}
