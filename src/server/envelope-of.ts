/**
 * Finding the envelope in a request: its body, or the `Sealwire` header where there is none. docs/protocol.md §8.
 * Nothing here inflates, and nothing is read beyond the cap.
 *
 * @module
 */

import { type Bytes, concat } from "../base/bytes.ts"
import { decodeUtf8 } from "../base/text.ts"
import {
  ENVELOPE_HEADER,
  ENVELOPE_TYPE,
  FIELDS_TYPE,
  MAX_HEADER_CHARACTERS,
  mediaType,
} from "../http/wire.ts"
import { Refusal } from "./refusal-error.ts"

const SEALED_TYPES: readonly string[] = [ENVELOPE_TYPE, FIELDS_TYPE]

/** Whether a request claims to be sealed. */
export function looksSealed({ headers }: Request): boolean {
  return headers.has(ENVELOPE_HEADER) || SEALED_TYPES.includes(mediaType(headers.get("content-type")))
}

/** Firefox has no `Request.body`; nobody on the way can make it hold too much, for it is no server. */
async function bodyOf(request: Request): Promise<ReadableStream<Bytes> | null> {
  const body = request.body as ReadableStream<Bytes> | null | undefined
  return body === undefined ? (await request.blob()).stream() : body
}

/** The body as text, up to `maxBytes`; a longer one is dropped as soon as that shows. Undefined for what is not UTF-8. */
export async function readBody(request: Request, maxBytes: number): Promise<string | undefined> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw new Refusal(413)
  const body = await bodyOf(request)
  if (!body) return ""
  const reader = body.getReader()
  const chunks = []
  let length = 0
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    length += step.value.length
    if (length > maxBytes) {
      // not awaited: a peer that goes on sending would hold the refusal back
      reader.cancel().catch(() => undefined)
      throw new Refusal(413)
    }
    chunks.push(step.value)
  }
  return decodeUtf8(concat(...chunks))
}

async function hasBody(request: Request): Promise<boolean> {
  const body = await bodyOf(request)
  if (!body) return false
  const reader = body.getReader()
  const { done } = await reader.read()
  if (!done) reader.cancel().catch(() => undefined)
  return !done
}

/**
 * The envelope of a request, or the document that has it. What it is worth shows when it is opened.
 *
 * @param type - Of a body.
 * @throws `Refusal` 400, 413 or 415.
 */
export async function envelopeOf(
  request: Request,
  maxBytes: number,
  type: string = ENVELOPE_TYPE,
): Promise<string> {
  const { headers } = request
  if (headers.has("content-encoding")) throw new Refusal(415)
  const inHeader = headers.get(ENVELOPE_HEADER)
  if (inHeader !== null) {
    // one message, one place
    if (inHeader.length > MAX_HEADER_CHARACTERS || (await hasBody(request))) throw new Refusal(400)
    return inHeader
  }
  if (request.body === null) throw new Refusal(400)
  if (mediaType(headers.get("content-type")) !== type) throw new Refusal(415)
  const body = await readBody(request, maxBytes)
  if (body === undefined) throw new Refusal(400)
  return body
}
