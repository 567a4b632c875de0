/**
 * The stored text of a ring, as one process knows it: read again, and changed by compare-and-set. One thing at a time.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { SealwireError } from "../base/errors.ts"
import type { RingScribe } from "./scribe.ts"
import type { RingState } from "./state.ts"
import type { KeyRingStore } from "./store.ts"

/** Gives the next state, or undefined for the same one. Called again, with what another server saved, where that came first. */
export type Change = (state: RingState) => RingState | undefined | Promise<RingState | undefined>

const ATTEMPTS = 20

export const ringFailed = (reason: string, cause?: unknown): SealwireError =>
  new SealwireError("ERR_STORE", `the key ring's store ${reason}`, cause === undefined ? {} : { cause })

/** Errors of a store become `ERR_STORE`; refusals of ours stay what they are. */
async function asked<Result>(answer: Promise<Result>): Promise<Result> {
  try {
    return await answer
  } catch (cause) {
    throw cause instanceof SealwireError ? cause : ringFailed("could not be asked", cause)
  }
}

/** The text of a ring. */
export class RingBook {
  readonly #store: KeyRingStore
  readonly #clock: Clock
  readonly #scribe: RingScribe
  /** Takes up the keys of a state before it becomes the current one. */
  readonly #prepare: (state: RingState) => Promise<void>
  #state: RingState | undefined
  #version = 0
  #tail: Promise<unknown> = Promise.resolve()

  constructor(
    store: KeyRingStore,
    clock: Clock,
    scribe: RingScribe,
    prepare: (state: RingState) => Promise<void>,
  ) {
    this.#store = store
    this.#clock = clock
    this.#scribe = scribe
    this.#prepare = prepare
  }

  get state(): RingState {
    if (this.#state) return this.#state
    throw new Error("the ring was not read yet")
  }

  get version(): number {
    return this.#version
  }

  /** Whether there is a ring. */
  async exists(): Promise<boolean> {
    return (await asked(this.#store.load("ring"))) !== undefined
  }

  /** Takes over what is stored. Gives whether that was new. */
  load(): Promise<boolean> {
    return this.#inTurn(() => this.#load())
  }

  /** Saves the first state; `false` where there is one. */
  create(state: RingState): Promise<boolean> {
    return this.#inTurn(() => this.#save(state, 1))
  }

  /** Changes what is stored; gives the state that it was changed from. */
  update(change: Change): Promise<RingState> {
    return this.#inTurn(async () => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        await this.#load()
        const before = this.state
        const next = await change(before)
        if (!next || (await this.#save(next, this.#version + 1))) return before
      }
      throw ringFailed(`was changed by another server each time, ${ATTEMPTS} times`)
    })
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(task)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #load(): Promise<boolean> {
    const found = await asked(this.#store.load("ring"))
    if (!found)
      throw ringFailed(
        this.#version === 0
          ? "has no ring: in a first deployment, open it with create: true"
          : "has lost the ring: restore a backup",
      )
    if (found.version < this.#version) {
      const versions = `from version ${this.#version} to ${found.version}`
      throw ringFailed(`went back ${versions}: when that is what you want, start the servers anew`)
    }
    if (found.version === this.#version) return false
    await this.#take(await this.#scribe.read(found.text, found.version), found.version)
    return true
  }

  async #save(state: RingState, version: number): Promise<boolean> {
    const saved = { ...state, savedAtMs: this.#clock() }
    const text = await this.#scribe.write(saved, version)
    if (!(await asked(this.#store.save("ring", text, version)))) return false
    await this.#take(saved, version)
    return true
  }

  async #take(state: RingState, version: number): Promise<void> {
    await this.#prepare(state)
    this.#state = state
    this.#version = version
  }
}
