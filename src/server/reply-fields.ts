/**
 * Answers on a route with a policy for the fields of replies: held to it, whatever form they go out in. docs/protocol.md §11.1.
 *
 * @module
 */

import { encodeAscii } from "../base/text.ts"
import type { Received } from "../envelope/receive.ts"
import type { FieldsCodec } from "../fields/codec.ts"
import { type HeaderPair, responseHead, type ResponseMessage } from "../http/message.ts"
import { mediaType } from "../http/wire.ts"
import type { Answer } from "./sealed-response.ts"

/** A document is read as a whole, however long it takes: none goes out unheld. */
export const WHOLE_DOCUMENT = { streamAboveBytes: 16_000_000, streamAfterMs: 60_000 } as const

const isJson = (type: string): boolean => type === "application/json" || type.endsWith("+json")

/** Whether a status and a type are those of a document; errors, whatever they say, are sealed as a whole. */
export function isDocument(status: number, contentType: string | null): boolean {
  return status >= 200 && status < 300 && isJson(mediaType(contentType))
}

const typeOf = (headers: readonly HeaderPair[]): string | null =>
  headers.find(([name]) => name === "content-type")?.[1] ?? null

/** Whether a message is a document that may be parted. */
export const isDocumentMessage = ({ status, headers, body }: ResponseMessage): boolean =>
  body.length > 0 && isDocument(status, typeOf(headers))

/**
 * Applies a policy to an answer that is a document.
 *
 * @throws `TypeError` or `RangeError` where it does not fit: it is not sent.
 */
export async function applyTo(answer: Answer, codec: FieldsCodec): Promise<Answer> {
  const { message, rest } = answer
  if (rest) {
    rest.cancel().catch(() => undefined)
    throw new RangeError("the document is too long, or too slow, for the policy of its route")
  }
  if (message.body.length === 0) return answer
  return { ...answer, message: { ...message, body: await codec.apply(message.body) } }
}

/** Seals the fields of a document that a policy was applied to; gives the clear rest, with the reply in it. */
export async function sealDocument(
  received: Received,
  message: ResponseMessage,
  codec: FieldsCodec,
): Promise<string> {
  const parted = codec.part(message.body, responseHead(message), encodeAscii(received.envelope))
  const { envelope } = await received.reply(parted.message, parted.context)
  return parted.withEnvelope(envelope)
}
