/**
 * What goes back, as text and headers. Of a Web `Response` a Node server would have to read the text by a stream again; it writes this as
 * it is, and everyone else makes a `Response` of it.
 *
 * @module
 */

import { HeaderMap } from "./header-map.ts"
import type { HeaderPair } from "./message.ts"

/** An answer that this library has made, and that is no Web one yet. */
export interface OuterResponse {
  /** The HTTP status: 200 to 599. */
  readonly status: number
  /** Names in lower case, each once. */
  readonly headers: HeaderMap
  /** ASCII; null for an answer without a body. */
  readonly text: string | null
}

/** An answer that is nobody's to keep, unless `headers` say so. */
export function ownAnswer(text: string | null, headers: readonly HeaderPair[], status = 200): OuterResponse {
  return { status, headers: new HeaderMap([["cache-control", "no-store"], ...headers]), text }
}

/** Makes a Web response of what goes back. */
export function webResponse(response: OuterResponse | Response): Response {
  if ("body" in response) return response
  const { status, headers, text } = response
  return new Response(text, { status, headers: [...headers] })
}
