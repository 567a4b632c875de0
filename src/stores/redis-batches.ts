/**
 * Claims that are asked for in one tick go to the server as one call, since a call costs client and server more than all that
 * a claim does. Nothing waits for more claims to come: a claim alone is a call of its own, sent in the same tick.
 *
 * A server that has all keys takes claims of several tags in a call. A Cluster refuses such a call before it has begun;
 * from then on each call is of one tag.
 *
 * @module
 */

/** The verdict on the claim that was given in this place. */
export type VerdictOf = (place: number) => string

/** Sends claims: of each, the marker and the id's key, one after the other, and when it expires. */
export type SendClaims = (keys: string[], expiries: string[]) => Promise<VerdictOf>

interface Batch {
  readonly keys: string[]
  readonly expiries: string[]
  readonly verdictOf: Promise<VerdictOf>
}

/** At most: while a script runs, the server answers nobody else. */
const CLAIMS_A_CALL = 64
/** In the place of a tag, for batches that take any. */
const ANY_TAG = ""
/** The server's word, and GLIDE's. */
const OF_SEVERAL_SLOTS = /CROSSSLOT/i

/** Gathers claims into calls. */
export class Batches {
  readonly #send: SendClaims
  /** Not yet sent, by tag; {@link ANY_TAG} while tags share calls. */
  readonly #open = new Map<string, Batch>()
  #doTagsShare = true

  constructor(send: SendClaims) {
    this.#send = send
  }

  /**
   * The verdict on one claim.
   *
   * @throws What the client throws.
   */
  async claim(marker: string, key: string, expiry: string): Promise<string> {
    const isShared = this.#doTagsShare
    const batch = this.#batchOf(isShared ? ANY_TAG : marker)
    const place = batch.expiries.push(expiry) - 1
    batch.keys.push(marker, key)
    try {
      return (await batch.verdictOf)(place)
    } catch (error) {
      const isOfSeveral = isShared && error instanceof Error && OF_SEVERAL_SLOTS.test(error.message)
      if (!isOfSeveral) throw error
      this.#doTagsShare = false
      return this.claim(marker, key, expiry)
    }
  }

  #batchOf(tag: string): Batch {
    const open = this.#open.get(tag)
    if (open && open.expiries.length < CLAIMS_A_CALL) return open
    const keys: string[] = []
    const expiries: string[] = []
    const verdictOf = Promise.resolve().then(() => {
      if (this.#open.get(tag) === batch) this.#open.delete(tag)
      return this.#send(keys, expiries)
    })
    const batch = { keys, expiries, verdictOf }
    this.#open.set(tag, batch)
    return batch
  }
}
