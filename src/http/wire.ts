/**
 * Where a sealed message stands in HTTP: header, media types, well-known paths, and the context it is bound to. docs/protocol.md §7 and §8.
 *
 * @module
 */

/** The header that carries an envelope where there is no body. */
export const ENVELOPE_HEADER = "sealwire"
/** Longest envelope in a header: 7 KiB. */
export const MAX_HEADER_CHARACTERS: number = 7 * 1024
/** The type of a body that is an envelope (RFC 7515 §9.2.1). */
export const ENVELOPE_TYPE = "application/jose"
/** The type of a body that is a reply, a line feed, and frames (§9). */
export const STREAM_TYPE = "application/sealwire-stream"
/** The type of a body that is a JSON document, some of whose fields are in an envelope (§11.1). */
export const FIELDS_TYPE = "application/sealwire-fields+json"
/** Where the key directory is (RFC 8615). */
export const DIRECTORY_PATH = "/.well-known/sealwire"
/** Where sessions are offered, and one level below, opened and ended (§6). */
export const SESSIONS_PATH = "/.well-known/sealwire/sessions"
/** Whether a path is one that sessions are served at. */
export const isSessionsPath = (path: string): boolean =>
  path === SESSIONS_PATH || path.startsWith(`${SESSIONS_PATH}/`)
/** Inner header: the request's id, the same in its answer. */
export const REQUEST_ID_HEADER = "x-request-id"
/** Inner header: the same in every attempt of one operation. */
export const IDEMPOTENCY_HEADER = "idempotency-key"

/** The type and subtype of a `Content-Type`, in lower case. */
export function mediaType(contentType: string | null): string {
  return (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? ""
}

/** `"http" ‖ 0x00 ‖ origin`: what requests and channels are bound to. */
export function httpContext(origin: string): string {
  return `http\0${origin}`
}

/** Statuses whose responses have no body (Fetch §2.2.3). */
export function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

/**
 * The origin of a URL, as the context has it.
 *
 * @throws `TypeError` naming the option, unless it is an http or https origin without a path.
 */
export function readOrigin(value: string, name: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== value) {
    throw new TypeError(`${name} must be an origin such as "https://api.example.com", without a path`)
  }
  return value
}
