/**
 * The private keys of a ring, ready to open with. Each is taken from its protection once.
 *
 * @module
 */

import { refuseKey } from "../keys/jwk.ts"
import type { PrivateKey } from "../keys/key.ts"
import type { Keeper, MadeKey } from "./keeper.ts"
import type { KeyRecord, RingState } from "./state.ts"
import type { UseCounter } from "./uses.ts"

/** Keys by name. */
export class KeyShelf {
  readonly #keeper: Keeper
  readonly #uses: UseCounter
  #keys: ReadonlyMap<string, PrivateKey> = new Map()
  /** Made here, and perhaps not stored yet. */
  readonly #made = new Map<string, PrivateKey>()

  constructor(keeper: Keeper, uses: UseCounter) {
    this.#keeper = keeper
    this.#uses = uses
  }

  find(kid: string): PrivateKey | undefined {
    return this.#keys.get(kid)
  }

  /** Puts a key that this process has made where {@link KeyShelf.take} finds it. */
  put({ key }: MadeKey): void {
    this.#made.set(key.kid, key)
  }

  /** Takes up the keys of a state, and drops all others. */
  async take({ keys }: RingState): Promise<void> {
    const entries = keys.map(async (record) => [record.kid, await this.#ready(record)] as const)
    this.#keys = new Map(await Promise.all(entries))
    this.#made.clear()
  }

  async #ready(record: KeyRecord): Promise<PrivateKey> {
    const { kid, kept } = record
    const ready = this.#keys.get(kid)
    if (ready) return ready
    const key = this.#made.get(kid) ?? (await this.#recall(record))
    if (key.kid !== kid) return refuseKey(`key ${kid} of the ring is another one, by ${kept.by}`)
    return this.#uses.counted(key)
  }

  #recall({ kid, kept }: KeyRecord): Promise<PrivateKey> {
    const { by } = this.#keeper
    if (kept.by === by) return this.#keeper.recall(kept.text, kid, false)
    return refuseKey(`key ${kid} of the ring is kept by ${kept.by}, and options.protection is by ${by}`)
  }
}
