/**
 * What a client needs of `sealedFields`, as an interface: only who uses that pulls in the code of fields. docs/protocol.md §11.1.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import type { ResponseMessage } from "./message.ts"

/** A request whose body is a document with sealed fields. */
export interface PartedRequest {
  readonly message: Bytes
  readonly context: Bytes
  /** The outer body. */
  withEnvelope(envelope: string): string
  /**
   * Opens a reply that is such a document, too; undefined for what is no response, or is not to come so.
   *
   * @param end - Of the request's envelope.
   * @throws `SealwireError` `ERR_OPEN_FAILED`, or `ERR_FIELDS` when less is sealed than was asked for.
   */
  openReply(end: EnvelopeEnd, document: string): Promise<ResponseMessage | undefined>
}

/**
 * Says which requests travel as documents with sealed fields, and parts those. Made by `sealedFields` of `sealwire/fields`; called by
 * the client, once for each request.
 *
 * @param message - The request, as docs/protocol.md §8.1 has it.
 * @returns Undefined for one that is sealed as a whole.
 */
export type SealedFields = (message: Bytes, origin: string) => Promise<PartedRequest | undefined>
