/**
 * What an end of HTTP needs of a policy, as an interface: only who makes a policy pulls in the code of fields.
 * docs/protocol.md §11.1.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { describe } from "../base/text.ts"

/** A document on its way out, in two parts. */
export interface PartedDocument {
  /** What is sealed: the fields, and the head of the message. */
  readonly message: Bytes
  /** What it is bound to: the outer context, and the clear rest. */
  readonly context: Bytes
  /** The clear rest, with the envelope in it. */
  withEnvelope(envelope: string): string
}

/** A document on its way in, of which nothing is authentic yet. */
export interface ArrivedDocument {
  readonly envelope: string
  /** What the envelope must be bound to, or it does not belong to this clear rest. */
  readonly context: Bytes
  /**
   * Puts what was sealed back, and holds the document to the policy.
   *
   * @param message - Of the envelope, authentic.
   * @returns The head of the message, and the whole document as its body, both RFC 8785 JSON.
   * @throws `SealwireError` `ERR_FIELDS`
   */
  open(message: Bytes): { readonly head: string; readonly body: Bytes }
}

/** A policy over the bodies of HTTP messages. */
export interface FieldsCodec {
  /**
   * Drops, masks and hashes.
   *
   * @returns The body, ready for {@link FieldsCodec.part}, or to be sealed as a whole.
   * @throws `TypeError` or `RangeError` for what the policy's `protect` does not take.
   */
  apply(body: Bytes): Promise<Bytes>
  /**
   * Takes out what is to be sealed.
   *
   * @param head - Of the message: RFC 8785 JSON.
   * @param outer - The outer context.
   */
  part(body: Bytes, head: string, outer: Bytes): PartedDocument
  /**
   * Reads what came from outside.
   *
   * @throws `SealwireError` `ERR_OPEN_FAILED`
   */
  read(text: string, outer: Bytes): ArrivedDocument
  /**
   * Holds a body that came sealed as a whole to what the policy asks besides that.
   *
   * @throws `SealwireError` `ERR_FIELDS`
   */
  assertHeld(body: Bytes): void
  /** The same policy, without what it requires to be there. */
  withoutRequired(): FieldsCodec
}

const codecs = new WeakMap<object, FieldsCodec>()

/** Makes a policy's codec known. */
export function offerCodec(policy: object, codec: FieldsCodec): void {
  codecs.set(policy, codec)
}

/**
 * The codec of a policy.
 *
 * @throws `TypeError` naming the option.
 */
export function codecOf(policy: object, name: string): FieldsCodec {
  const codec = codecs.get(policy)
  if (codec) return codec
  throw new TypeError(`${name} must be a policy made by createPolicy, not ${describe(policy)}`)
}
