/**
 * The one error class. Codes are API: renaming one is a breaking change.
 * Everything that depends on a secret shares `ERR_OPEN_FAILED`, one message, and no cause (docs/protocol.md §3.4).
 *
 * @module
 */

/**
 * What went wrong, for code to act on.
 *
 * - `ERR_OPEN_FAILED`: not an envelope for this reader (docs/protocol.md §3.4, steps 1 to 7). The cause is never told.
 * - `ERR_STALE`: authentic, but outside the freshness window.
 * - `ERR_REPLAYED`: authentic, but seen before.
 * - `ERR_QUARANTINED`: authentic, but from a time that the store may have forgotten. Try again after `retryAfterSeconds`.
 * - `ERR_STORE`: the replay store failed, was too slow, or gave an odd answer: nothing was accepted. Or the store of
 *   sessions or of a key ring did. From a client's `logout`: the server could not end the session.
 * - `ERR_STORE_FULL`: the replay store holds as many ids as it may.
 * - `ERR_KEY`: a key that this protocol refuses (docs/protocol.md §2), or one that may not be exported.
 * - `ERR_KEY_UNAVAILABLE`: a key service could not be asked, or no key for a session is ready. Nothing was claimed; the same
 *   envelope may be tried again.
 * - `ERR_TOO_LARGE`: the message to seal, or a sealed answer, is above the limit.
 * - `ERR_MESSAGE_FORMAT`: an opened message is not the UTF-8 or JSON that was asked for.
 * - `ERR_FIELDS`: a document's sealed fields are authentic, but do not fit it, or are not those that the reader wants sealed.
 *   Nothing was claimed. From a client: the server says so of a request, and did not act on it.
 * - `ERR_TRUNCATED`: a stream was cut before its sealed end. What came until then is authentic, and not all.
 * - `ERR_KEYS_UNTRUSTED`: a server's key directory or its offer of a session is not there, is not by a pinned identity, is not
 *   for this client, has run out, or is older than one seen before.
 * - `ERR_NETWORK`: the request or its answer was lost on the way. Unless the method is safe, it may have been acted on.
 * - `ERR_TIMEOUT`: no answer within the time. As for `ERR_NETWORK`.
 * - `ERR_UNSEALED`: what came back is not a sealed answer. It is not shown, and nothing in it is believed.
 * - `ERR_MISMATCH`: a request arrived under another method or path than the one sealed. The server did not act on it.
 * - `ERR_NO_SESSION`: the session is not known to the server, or has ended. Nothing was accepted; open another.
 * - `ERR_UNSUPPORTED`: this runtime or backend cannot do that; the message says what can.
 */
export type ErrorCode =
  | "ERR_OPEN_FAILED"
  | "ERR_STALE"
  | "ERR_REPLAYED"
  | "ERR_QUARANTINED"
  | "ERR_STORE"
  | "ERR_STORE_FULL"
  | "ERR_KEY"
  | "ERR_KEY_UNAVAILABLE"
  | "ERR_TOO_LARGE"
  | "ERR_MESSAGE_FORMAT"
  | "ERR_FIELDS"
  | "ERR_TRUNCATED"
  | "ERR_KEYS_UNTRUSTED"
  | "ERR_NETWORK"
  | "ERR_TIMEOUT"
  | "ERR_UNSEALED"
  | "ERR_MISMATCH"
  | "ERR_NO_SESSION"
  | "ERR_UNSUPPORTED"

/** What a {@link SealwireError} may carry besides its code and message. */
export interface SealwireErrorDetails {
  /** The error underneath, where telling it gives nothing away. */
  readonly cause?: unknown
  /** Seconds after which the same call can succeed. */
  readonly retryAfterSeconds?: number | undefined
  /** The request that it is about. */
  readonly requestId?: string | undefined
  /** The status that an answer over HTTP had on the outside, where anyone on the way can set it. */
  readonly outerStatus?: number | undefined
}

/**
 * Every refusal by this library. Test `error.code`, not `instanceof` alone: two installed copies have two classes.
 *
 * A caller's own mistake is a `TypeError` or `RangeError` instead.
 */
export class SealwireError extends Error {
  /** Always `"SealwireError"`, also after minification. */
  override readonly name: string = "SealwireError"
  /** What went wrong, for code to act on. */
  readonly code: ErrorCode
  /** Seconds after which the same call can succeed; undefined where waiting does not help. */
  readonly retryAfterSeconds: number | undefined
  /** Id of the HTTP request that it is about, as the server may have logged it; undefined elsewhere. */
  readonly requestId: string | undefined
  /** Status of an HTTP answer that was refused. For information: anyone on the way can set it. */
  readonly outerStatus: number | undefined

  constructor(code: ErrorCode, message: string, details: SealwireErrorDetails = {}) {
    super(message, details)
    this.code = code
    this.retryAfterSeconds = details.retryAfterSeconds
    this.requestId = details.requestId
    this.outerStatus = details.outerStatus
  }
}

/** Steps 1 to 7 of docs/protocol.md §3.4 fail in this one way. */
export function openFailed(): SealwireError {
  return new SealwireError("ERR_OPEN_FAILED", "not an envelope that this reader can open")
}
