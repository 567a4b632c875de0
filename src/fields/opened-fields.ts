/**
 * What an opened document gives the application. docs/protocol.md §11.
 *
 * @module
 */

import type { JsonObject } from "../base/json-value.ts"
import type { Opened } from "../envelope/opened.ts"
import type { Places } from "./document.ts"

/** An authentic document, whole again. */
export class OpenedFields {
  /** The envelope's `jti`, 22 characters. */
  readonly id: string
  /** The sender's time, to the second. */
  readonly issuedAt: Date
  /** The key that the envelope names: the recipient's thumbprint. */
  readonly kid: string
  /** Thumbprint of the sender's signing key; undefined means that nobody is proven to have sent this. */
  readonly signer: string | undefined
  // private, so that logging or inspecting what was opened does not show it
  readonly #document: JsonObject
  readonly #sealed: Places

  constructor(opened: Opened, { document, sealed }: { document: JsonObject; sealed: Places }) {
    this.id = opened.id
    this.issuedAt = opened.issuedAt
    this.kid = opened.kid
    this.signer = opened.signer
    this.#document = document
    this.#sealed = sealed
  }

  /** The document: the clear rest, and every sealed value in its place. */
  get document(): JsonObject {
    return this.#document
  }

  /** JSON Pointers of what was sealed. */
  get sealedPointers(): string[] {
    return [...this.#sealed.keys()]
  }
}
