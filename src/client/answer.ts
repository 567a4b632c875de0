/**
 * From the outer answer to the inner one. Nothing unsealed is an answer, no redirect is followed, and neither the outer status
 * nor an outer header is believed. docs/protocol.md §8 and §9.
 *
 * @module
 */

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import type { Authentic } from "../envelope/read.ts"
import { parseResponse, type ResponseMessage } from "../http/message.ts"
import type { PartedRequest } from "../http/parted-request.ts"
import { ENVELOPE_HEADER, ENVELOPE_TYPE, FIELDS_TYPE, mediaType, STREAM_TYPE } from "../http/wire.ts"
import { discard, type OnBytes, readText } from "./body.ts"
import type { Deadline } from "./deadline.ts"

/** A sealed answer, opened. */
export interface Answer extends ResponseMessage {
  /** What follows in frames, instead of a body: authentic chunk by chunk, and cut unless it ends by itself. */
  readonly stream?: ReadableStream<Bytes>
}

/** How answers to one request are read. */
export interface AnswerReading {
  /** The one envelope that was sent. */
  readonly end: EnvelopeEnd
  /** Opens the reply to it. */
  readReply(reply: string): Promise<Authentic>
  /** Opens a reply that is a document with sealed fields; undefined where none was asked for. */
  readonly parted: PartedRequest | undefined
  readonly maxResponseBytes: number
  readonly onBytes: OnBytes
  /** For the stream of an answer, as long as it goes on. */
  readonly deadline: Deadline
}

/** Header, IV, tag, digest, seed, and a head with many headers: what an envelope holds besides the body. */
const OVERHEAD_CHARACTERS = 256 * 1024

/** Whether an answer leads elsewhere, or has led there. */
export const isRedirect = ({ type, status, redirected }: Response): boolean =>
  type === "opaqueredirect" || redirected || (status >= 300 && status < 400 && status !== 304)

/** The refusal of an answer. */
export function unsealed({ status: outerStatus }: Response, what: string): SealwireError {
  return new SealwireError("ERR_UNSEALED", `what came back is ${what}, not a sealed answer`, { outerStatus })
}

interface Carried {
  /** Undefined where it is above the limit. */
  readonly reply: string | undefined
  /** The reply is a document with sealed fields. */
  readonly isParted?: boolean | undefined
  readonly rest?: ReadableStream<Uint8Array>
}

/** Loaded with the first answer of its kind, so that a page whose answers come whole does not pay for it. */
const streamedAnswer = () => import("./streamed-answer.ts")

/** Finds the reply in an answer. */
async function carriedBy(
  response: Response,
  { parted, maxResponseBytes, onBytes }: AnswerReading,
): Promise<Carried> {
  const maxBytes = Math.ceil((maxResponseBytes * 4) / 3) + OVERHEAD_CHARACTERS
  const inHeader = response.headers.get(ENVELOPE_HEADER)
  if (inHeader !== null) {
    discard(response)
    return { reply: inHeader }
  }
  const type = mediaType(response.headers.get("content-type"))
  const isParted = parted && type === FIELDS_TYPE
  if (isParted || type === ENVELOPE_TYPE)
    return { reply: await readText(response, maxBytes, onBytes), isParted }
  if (type !== STREAM_TYPE || !response.body) throw unsealed(response, `of type "${type}"`)
  const { splitLine } = await streamedAnswer()
  const split = await splitLine(response.body, maxBytes, onBytes)
  if (!split) throw unsealed(response, "cut in its head")
  return { reply: split.line, rest: split.rest }
}

function tooLarge(maxResponseBytes: number): never {
  throw new SealwireError("ERR_TOO_LARGE", `the answer is above the limit of ${maxResponseBytes} bytes`)
}

/** Opens the reply in an answer, and the stream behind it. */
async function openReply(response: Response, reading: AnswerReading): Promise<Answer | undefined> {
  const { reply, isParted, rest } = await carriedBy(response, reading)
  if (reply === undefined) tooLarge(reading.maxResponseBytes)
  if (isParted) return reading.parted?.openReply(reading.end, reply).catch(() => undefined)
  const authentic = await reading.readReply(reply).catch(() => undefined)
  if (!authentic) throw unsealed(response, "not the reply to this request")
  const answer = parseResponse(authentic.message)
  if (!answer || !rest) return answer
  if (answer.body.length > 0) return undefined
  const { openBehind } = await streamedAnswer()
  return { ...answer, stream: await openBehind(reply, authentic, rest, reading.deadline) }
}

/**
 * Reads an answer that is no redirect.
 *
 * @throws `SealwireError` `ERR_UNSEALED` for all that is not the sealed answer to this very request; `ERR_TOO_LARGE`; what the
 *   body throws.
 */
export async function readAnswer(response: Response, reading: AnswerReading): Promise<Answer> {
  const { maxResponseBytes } = reading
  try {
    const answer = await openReply(response, reading)
    if (!answer) throw unsealed(response, "a reply that holds no answer")
    if (answer.body.length > maxResponseBytes) tooLarge(maxResponseBytes)
    return answer
  } catch (error) {
    discard(response)
    throw error
  }
}
