/**
 * The client: a `fetch` whose requests and answers are sealed. docs/protocol.md §7 and §8.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import type { Bytes } from "../base/bytes.ts"
import { SealwireError } from "../base/errors.ts"
import type { PublicKey } from "../keys/key.ts"
import { aboutOf, attemptOnce, type End, identified, type Sender } from "./attempt.ts"
import { CorrectedClock } from "./corrected-clock.ts"
import { type Emit, emitterOf } from "./events.ts"
import { fixedKeys, keysFrom, type KeySource } from "./keys.ts"
import { lazily } from "./lazily.ts"
import { type ClientOptions, readSettings, type Settings } from "./options.ts"
import { keyRecipient } from "./recipient.ts"
import { type Operation, readOperation } from "./request.ts"
import { repeat } from "./retry.ts"
import type { ClientSessions } from "./sessions.ts"
import { platformTiming, type Timing } from "./timing.ts"

/** A client of one server. */
export interface Client {
  /**
   * Asks the server, sealed: takes what the platform's `fetch` takes, and gives a `Response` with the status, headers and body
   * that the server sealed. Needs no `this`, so it can be handed to libraries that want a `fetch`. Follows no redirect.
   *
   * The answer's `x-request-id` is the request's. `init.redirect`, `cache`, `credentials`, `mode` and the like have no effect.
   *
   * @throws What is not an answer of the application is thrown, as a `SealwireError` with the `requestId`:
   *   `ERR_NETWORK`, `ERR_TIMEOUT`, `ERR_UNSEALED`, `ERR_REPLAYED`, `ERR_NO_SESSION`: **the outcome is unknown**: unless the method is GET or
   *   HEAD, the server may have acted on the request, once;
   *   `ERR_STALE`, `ERR_MISMATCH`, `ERR_FIELDS`, `ERR_KEYS_UNTRUSTED`, `ERR_KEY`, `ERR_OPEN_FAILED` (no session was confirmed):
   *   the server did not act on it;
   *   `ERR_TOO_LARGE`: a request above 16 MiB, a GET or HEAD that does not fit a header, or an answer above `maxResponseBytes`.
   *   The reason of the signal, once it aborts. `TypeError` for another origin, and for what the platform's `fetch` refuses.
   *   The body of a streamed answer errors with `ERR_TRUNCATED` where it is cut, `ERR_OPEN_FAILED` where it is changed.
   */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /**
   * The keys that messages are sealed to, the first one in use. Fetches the directory where that has not been done: call it
   * early, and the first request need not wait for it.
   *
   * @throws `SealwireError` `ERR_NETWORK`, `ERR_TIMEOUT`, `ERR_KEYS_UNTRUSTED` or `ERR_KEY`.
   */
  readonly keys: () => Promise<readonly PublicKey[]>
  /**
   * Ends the session, on the server, here and in other pages that share it, also one that is still being opened; the next request
   * opens another. Without one, it does nothing.
   *
   * @throws What the request threw, as `fetch` does; `SealwireError` `ERR_STORE` where the server says that it could not. The
   *   session is forgotten here all the same.
   */
  readonly logout: () => Promise<void>
}

/** A second effect of these is no other than the first (RFC 9110 §9.2.2); PATCH and POST are not among them. */
const REPEATABLE_METHODS = ["GET", "HEAD", "PUT", "DELETE"]

async function perform(operation: Operation, sender: Sender, timing: Timing): Promise<Response> {
  const { settings, emit } = sender
  const about = aboutOf(operation)
  const startMs = timing.now()
  const end = await repeat<End>({
    policy: settings.retry,
    timing,
    repeatable: settings.enforcesIdempotency || REPEATABLE_METHODS.includes(operation.method),
    signal: operation.signal,
    attempt: (number, remainingMs) => attemptOnce(operation, sender, number, remainingMs),
    onRetry: (reason, attempt, delayMs) => emit({ type: "retry", ...about, attempt, reason, delayMs }),
  }).catch((error: unknown): End => ({ error }))
  const durationMs = timing.now() - startMs
  if ("response" in end) {
    emit({ type: "answer", ...about, status: end.response.status, durationMs })
    return end.response
  }
  const error = identified(end.error, operation, end.retryAfterMs)
  emit({
    type: "failure",
    ...about,
    code: error instanceof SealwireError ? error.code : undefined,
    durationMs,
  })
  throw error
}

/** What comes later: a page that brings its keys needs neither the directory nor sessions. */
interface Parts {
  readonly keys: KeySource
  readonly sessions: (() => Promise<ClientSessions>) | undefined
}

function partsOf(settings: Settings, clock: CorrectedClock, timing: Timing, emit: Emit): Parts {
  const { trust, session } = settings
  if ("keys" in trust) return { keys: fixedKeys(trust.keys), sessions: undefined }
  const { pins } = trust
  const pinned = lazily(async () => {
    const { PinnedKeys } = await import("./pinned-keys.ts")
    return new PinnedKeys({ settings, pins, clock, timing, emit })
  })
  const sessions = lazily(async () => {
    const { clientSessions } = await import("./sessions.ts")
    return clientSessions({ settings, pins, clock, emit })
  })
  // the first request will need one of them: who asks for it then is told if it did not come
  const soon = session === false ? pinned : sessions
  soon().catch(() => undefined)
  return { keys: keysFrom(pinned), sessions: session === false ? undefined : sessions }
}

/** The same, with time in the caller's hand. */
export function createTimedClient(options: ClientOptions, timing: Timing): Client {
  const settings = readSettings(options)
  const { backend, baseUrl, retry, origin, fields } = settings
  const emit = emitterOf(settings.onEvent)
  const clock = new CorrectedClock(settings.clock)
  const { keys, sessions } = partsOf(settings, clock, timing, emit)
  const sender = {
    settings,
    recipient: sessions
      ? { current: async () => (await sessions()).current() }
      : keyRecipient(keys, settings),
    clock,
    emit,
  }
  const generateId = settings.generateId ?? (() => encodeBase64url(backend.randomBytes(16)))
  const terms = {
    baseUrl,
    generateId,
    budgetMs: retry.budgetMs,
    part: (message: Bytes) => fields?.(message, origin),
  }
  return Object.freeze({
    fetch: async (input: string | URL | Request, init?: RequestInit) =>
      perform(await readOperation(input, init, terms), sender, timing),
    keys: () => keys.keys(),
    logout: async () => {
      if (sessions) await (await sessions()).end(sender, terms)
    },
  })
}

/**
 * Creates a client of one server.
 *
 * Requests are repeated by themselves only where that cannot have a second effect: GET, HEAD, PUT and DELETE, every request to a
 * server that `enforcesIdempotency`, and whatever the server has proven not to have acted on. Each attempt is sealed anew, under
 * the same inner `idempotency-key`.
 *
 * A request's body is read as a whole before it is sealed, and `fetch` does not tell how much of it was sent: `attempt` is the
 * only event of an upload. Answers tell `progress`; one that is no stream is authentic, and handed out, only as a whole.
 *
 * @throws `TypeError` or `RangeError` for wrong options.
 * @example
 * ```ts
 * import { createClient } from "sealwire/client"
 *
 * const api = createClient({
 *   baseUrl: "https://api.example.com",
 *   pins: ["4hPqeTxwvHqz1pYV6hT0JcGLNvVYwkGrUlhO5wYzUZk", "C6r0hJ0y3kQO0y7q0TFyS1yyJ8GHxJ2wr8GdqxqgzWk"],
 * })
 * const send = () => api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents: 12_000 }) })
 * ```
 */
export function createClient(options: ClientOptions): Client {
  return createTimedClient(options, platformTiming)
}
