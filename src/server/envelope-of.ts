/**
 * Finding the envelope in a request: its body, or the `Sealwire` header where there is none. docs/protocol.md §8.
 * Nothing here inflates, and nothing is read beyond the cap.
 *
 * @module
 */

import { decodeUtf8 } from "../base/text.ts"
import {
  ENVELOPE_HEADER,
  ENVELOPE_TYPE,
  FIELDS_TYPE,
  MAX_HEADER_CHARACTERS,
  mediaType,
} from "../http/wire.ts"
import type { OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"

const SEALED_TYPES: readonly string[] = [ENVELOPE_TYPE, FIELDS_TYPE]

/** Whether a request claims to be sealed. */
export function looksSealed({ headers }: OuterRequest): boolean {
  return headers.has(ENVELOPE_HEADER) || SEALED_TYPES.includes(mediaType(headers.get("content-type")))
}

/** The body as text, up to `maxBytes`. Undefined for what is not UTF-8. */
export async function readBody(request: OuterRequest, maxBytes: number): Promise<string | undefined> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw new Refusal(413)
  const body = await request.readBody(maxBytes)
  if (!body) throw new Refusal(413)
  return decodeUtf8(body)
}

/**
 * The envelope of a request, or the document that has it. What it is worth shows when it is opened.
 *
 * @param type - Of a body.
 * @throws `Refusal` 400, 413 or 415.
 */
export async function envelopeOf(
  request: OuterRequest,
  maxBytes: number,
  type: string = ENVELOPE_TYPE,
): Promise<string> {
  const { headers } = request
  if (headers.has("content-encoding")) throw new Refusal(415)
  const inHeader = headers.get(ENVELOPE_HEADER)
  if (inHeader !== null) {
    // one message, one place
    if (inHeader.length > MAX_HEADER_CHARACTERS || !(await request.readBody(0))) throw new Refusal(400)
    return inHeader
  }
  if (!request.hasBody) throw new Refusal(400)
  if (mediaType(headers.get("content-type")) !== type) throw new Refusal(415)
  const body = await readBody(request, maxBytes)
  if (body === undefined) throw new Refusal(400)
  return body
}
