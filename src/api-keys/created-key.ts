/**
 * A new key on its way to its user: the only place where it is.
 *
 * @module
 */

import type { ApiKeyRecord } from "./record.ts"

/** A new key. Logged or inspected, it does not show. */
export class CreatedApiKey {
  /** The middle part of the key: public. */
  readonly id: string
  /** Whom it stands for. */
  readonly principal: string
  /** What it allows. */
  readonly scopes: readonly string[]
  /** Unix milliseconds; undefined for no end. */
  readonly endsAtMs: number | undefined
  readonly #key: string

  constructor({ id, principal, scopes, endsAtMs }: ApiKeyRecord, key: string) {
    this.id = id
    this.principal = principal
    this.scopes = scopes
    this.endsAtMs = endsAtMs
    this.#key = key
  }

  /** The key: `prefix_id_secret`. Kept nowhere else, so give it to its user now. */
  get key(): string {
    return this.#key
  }
}
