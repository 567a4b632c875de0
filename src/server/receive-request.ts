/**
 * Receiving a sealed request in the form that its route takes: as a whole, or as a document with sealed fields. Steps 1 to 7 of
 * docs/protocol.md §3.4, and §11.1.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import { encodeAscii } from "../base/text.ts"
import { type Received, type Receiving, tryReceive } from "../envelope/receive.ts"
import type { FieldsCodec } from "../fields/codec.ts"
import { joinMessage, parseRequest } from "../http/message.ts"
import { FIELDS_TYPE, httpContext, mediaType } from "../http/wire.ts"
import { envelopeOf } from "./envelope-of.ts"
import type { OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"
import type { Route } from "./routes.ts"

/** What receiving takes. */
export interface ReceivingRequests {
  readonly origin: string
  readonly maxEnvelopeCharacters: number
  readonly maxDocumentBytes: number
  /**
   * How to receive one envelope, which may belong to a session.
   *
   * @param context - Default: that of whole messages.
   */
  receivingFor(envelope: string, context?: Bytes): Receiving
}

/** A request that is authentic and does not count yet. */
export interface ReceivedRequest {
  /** Its message is that of docs/protocol.md §8.1, in whichever form it came. */
  readonly received: Received
  /** Whether its fields are as the route wants them. */
  readonly isHeld: boolean
  /** Seals the fields of a reply; undefined where replies are sealed as a whole. */
  readonly replyFields: FieldsCodec | undefined
}

/** Whether something holds, where a refusal of fields says that it does not. */
function holds(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof SealwireError && error.code === "ERR_FIELDS") return false
    throw error
  }
}

async function receive(envelope: string, receiving: Receiving): Promise<Received> {
  const received = await tryReceive(envelope, receiving)
  if (!received) throw new Refusal(400, undefined, { code: "ERR_OPEN_FAILED" })
  return received
}

async function receiveWhole(
  outer: OuterRequest,
  fields: Route["fields"],
  terms: ReceivingRequests,
): Promise<ReceivedRequest> {
  const envelope = await envelopeOf(outer, terms.maxEnvelopeCharacters)
  const received = await receive(envelope, terms.receivingFor(envelope))
  const body = fields && parseRequest(received.authentic.message)?.body
  const isHeld = holds(() => {
    if (body && body.length > 0) fields.request.assertHeld(body)
  })
  return { received, isHeld, replyFields: undefined }
}

async function receiveFields(
  outer: OuterRequest,
  { request, reply }: NonNullable<Route["fields"]>,
  terms: ReceivingRequests,
): Promise<ReceivedRequest> {
  const text = await envelopeOf(outer, terms.maxDocumentBytes, FIELDS_TYPE)
  const arrived = request.read(text, encodeAscii(httpContext(terms.origin)))
  const { envelope, context } = arrived
  const received = await receive(envelope, terms.receivingFor(envelope, context))
  const { authentic } = received
  let { message } = authentic
  const isHeld = holds(() => {
    const { head, body } = arrived.open(authentic.message)
    message = joinMessage(head, body)
  })
  // of all that was said: an idempotency key is for one message, and its clear part belongs to that
  const messageDigest = await authentic.selected.backend.sha256(message)
  return {
    received: { ...received, authentic: { ...authentic, message, messageDigest } },
    isHeld,
    replyFields: reply,
  }
}

/**
 * Receives a request, as far as it is authentic.
 *
 * @throws `Refusal` or `SealwireError` for what is refused unsealed.
 */
export function receiveRequest(
  outer: OuterRequest,
  { fields }: Route,
  terms: ReceivingRequests,
): Promise<ReceivedRequest> {
  const isDocument = mediaType(outer.headers.get("content-type")) === FIELDS_TYPE
  return fields && isDocument ? receiveFields(outer, fields, terms) : receiveWhole(outer, fields, terms)
}
