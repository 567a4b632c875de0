/**
 * Options of a client: read, checked and copied once.
 *
 * @module
 */

import { backend as platform } from "#backend"

import { type Clock, systemClock } from "../base/clock.ts"
import { MAX_MESSAGE_BYTES } from "../base/limits.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { Backend } from "../crypto/backend.ts"
import { isInnerHeader } from "../http/message.ts"
import type { SealedFields } from "../http/parted-request.ts"
import { DIRECTORY_PATH, ENVELOPE_HEADER, readOrigin } from "../http/wire.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import { MAX_DELAY_MS } from "./deadline.ts"
import type { ClientEvent } from "./events.ts"
import type { RetryPolicy } from "./retry.ts"
import type { SeqStore } from "./seq-store.ts"

/** When a client tries again. */
export interface RetryOptions {
  /**
   * Attempts for each request, the first included: 1 to 100. The one retry that corrects the clock, and the one in a new session,
   * are not counted. Default: 3.
   */
  readonly attempts?: number
  /** The first wait is up to this long, in milliseconds, the next up to twice as long …: 0 to 2,147,483,647. Default: 300. */
  readonly baseDelayMs?: number
  /** No wait of its own is longer, in milliseconds; what the server asks for in `Retry-After` may be. Default: 10,000. */
  readonly maxDelayMs?: number
}

/** Options of `createClient`. Exactly one of `pins` and `keys` says whom to trust. */
export interface ClientOptions {
  /** Where the server is: an http or https URL. Relative URLs are resolved against it, and no other origin is ever asked. */
  readonly baseUrl: string | URL
  /** Thumbprints of the server's identity keys, whose key directory is believed. In production two: one is the spare. */
  readonly pins?: readonly string[]
  /** The server's recipient keys, without a directory. Messages go to the first; after its uniform refusal, to the next. */
  readonly keys?: PublicKey | readonly PublicKey[]
  /** The origin that messages and the directory are bound to, as the server has it configured. Default: that of `baseUrl`. */
  readonly origin?: string
  /** Proves who sends, in each request. Default: nobody. */
  readonly signWith?: SigningKey
  /**
   * Sends in a session, which is opened with the first request: one RSA operation for all of them, and what was recorded stays
   * closed if the server's identity key is stolen later. Needs `pins`, and a server with sessions. `"shared"` keeps it in
   * IndexedDB, where the pages of one origin share it, under a key that no script can read. Default: false.
   */
  readonly session?: boolean | "shared"
  /**
   * Sends the bodies of certain requests as JSON documents with sealed fields, for servers that want them so: what `sealedFields` of
   * `sealwire/fields` gives. Default: every request is sealed as a whole.
   */
  readonly fields?: SealedFields
  /** Sends what is sealed. Default: the platform's `fetch`. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Cryptography for the directory and for ids; a key uses its own. Default: the platform's. */
  readonly backend?: Backend
  /** For an attempt, until its answer is opened or the head of its stream is, in milliseconds: 1 to 2,147,483,647. Default: 30,000. */
  readonly timeoutMs?: number
  /** For a request with all its attempts and waits, in milliseconds: 1 to 2,147,483,647. Default: 60,000. */
  readonly budgetMs?: number
  /** When to try again. */
  readonly retry?: RetryOptions
  /** The server is known to enforce idempotency keys, so that every request may be repeated. Default: false. */
  readonly enforcesIdempotency?: boolean
  /** Send the query on the outside, too, where everyone on the way reads it. Default: false. */
  readonly sendQuery?: boolean
  /** Largest body of an answer that is no stream, in bytes: 1 to 16,777,216. Default: 16,777,216. */
  readonly maxResponseBytes?: number
  /** Names of headers that are sent on the outside, too, such as `traceparent`. Default: none. */
  readonly outerHeaders?: readonly string[]
  /** Cookies on the outside, as `fetch` has it. They prove nothing to a sealed endpoint. Default: the platform's. */
  readonly credentials?: "include" | "omit" | "same-origin"
  /** Path of the key directory on the server. Default: `"/.well-known/sealwire"`. */
  readonly directoryPath?: string
  /** Least time between two fetches of the directory that refusals ask for, in milliseconds: 0 to 2,147,483,647. Default: 30,000. */
  readonly refreshCooldownMs?: number
  /** Remembers the highest `seq` of the directory. Default: IndexedDB where there is one, else memory. */
  readonly seqStore?: SeqStore
  /** Makes request ids and idempotency keys: unique each time. Default: 128 random bits. */
  readonly generateId?: () => string
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
  /** Called for each event, never with plaintext. What it gives or throws is ignored, also later. */
  readonly onEvent?: (event: ClientEvent) => unknown
}

const OPTIONS = [
  "baseUrl",
  "pins",
  "keys",
  "origin",
  "signWith",
  "session",
  "fields",
  "fetch",
  "backend",
  "timeoutMs",
  "budgetMs",
  "retry",
  "enforcesIdempotency",
  "sendQuery",
  "maxResponseBytes",
  "outerHeaders",
  "credentials",
  "directoryPath",
  "refreshCooldownMs",
  "seqStore",
  "generateId",
  "clock",
  "onEvent",
]

/** Options, complete. */
export interface Settings {
  readonly baseUrl: URL
  readonly trust: { readonly pins: readonly string[] } | { readonly keys: readonly PublicKey[] }
  readonly origin: string
  readonly signWith: SigningKey | undefined
  readonly session: boolean | "shared"
  readonly fields: SealedFields | undefined
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly backend: Backend
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  readonly enforcesIdempotency: boolean
  readonly sendQuery: boolean
  readonly maxResponseBytes: number
  readonly outerHeaders: readonly string[]
  /** What every outer request has. */
  readonly outerInit: RequestInit
  readonly directoryUrl: string
  readonly refreshCooldownMs: number
  readonly seqStore: SeqStore | undefined
  readonly generateId: (() => string) | undefined
  readonly clock: Clock
  readonly onEvent: ((event: ClientEvent) => unknown) | undefined
}

/** Looked up at each call, so that what stands in for it later counts, too. */
const platformFetch: Settings["fetch"] = (url, init) => globalThis.fetch(url, init)

function readBaseUrl(value: string | URL): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new TypeError("options.baseUrl must be an http or https URL without a user name or password")
  }
  return url
}

function readTrust({ pins, keys }: ClientOptions): Settings["trust"] {
  if ((pins === undefined) === (keys === undefined)) {
    throw new TypeError("options must have either pins or keys")
  }
  if (pins !== undefined) {
    const arePins =
      Array.isArray(pins) && pins.length > 0 && pins.every((pin) => /^[\w-]{43}$/.test(String(pin)))
    if (!arePins) throw new TypeError("options.pins must be thumbprints of 43 characters, at least one")
    return { pins: [...(pins as readonly string[])] }
  }
  const list = [keys ?? []].flat()
  if (list.length === 0) throw new TypeError("options.keys must have at least one key")
  for (const key of list) materialOf(key, "public", "options.keys")
  return { keys: list }
}

function readSession({ session = false, pins }: ClientOptions): Settings["session"] {
  if (typeof session !== "boolean" && (session as string) !== "shared") {
    throw new TypeError(`options.session must be true, false or "shared", not ${describe(session)}`)
  }
  if (session === false || pins !== undefined) return session
  throw new TypeError("options.session needs pins")
}

function readRetry({ retry = {}, budgetMs = 60_000 }: ClientOptions): RetryPolicy {
  assertOptions(retry, "options.retry", ["attempts", "baseDelayMs", "maxDelayMs"])
  const { attempts = 3, baseDelayMs = 300, maxDelayMs = 10_000 } = retry
  assertInteger(attempts, "options.retry.attempts", 1, 100)
  assertInteger(baseDelayMs, "options.retry.baseDelayMs", 0, MAX_DELAY_MS)
  assertInteger(maxDelayMs, "options.retry.maxDelayMs", 0, MAX_DELAY_MS)
  assertInteger(budgetMs, "options.budgetMs", 1, MAX_DELAY_MS)
  return { attempts, baseDelayMs, maxDelayMs, budgetMs }
}

function readOuterHeaders(names: readonly string[]): string[] {
  return names.map((given) => {
    const name = String(given).toLowerCase()
    if (isInnerHeader(name) && name !== ENVELOPE_HEADER && name !== "content-type") return name
    throw new TypeError(
      `options.outerHeaders must not have "${name}": it belongs to the connection or the envelope`,
    )
  })
}

/** Some runtimes throw at members of `RequestInit` that they do not know. */
function outerInit({ credentials }: ClientOptions): RequestInit {
  return {
    redirect: "manual",
    ...("cache" in Request.prototype ? { cache: "no-store" } : {}),
    ...(credentials === undefined ? {} : { credentials }),
  }
}

/**
 * Reads the options.
 *
 * @throws `TypeError` or `RangeError` naming the option, what was expected and what came.
 */
export function readSettings(options: ClientOptions): Settings {
  assertOptions(options, "options", OPTIONS)
  const { signWith, fetch = platformFetch, backend = platform } = options
  const { timeoutMs = 30_000, maxResponseBytes = MAX_MESSAGE_BYTES, refreshCooldownMs = 30_000 } = options
  const { outerHeaders = [], directoryPath = DIRECTORY_PATH, seqStore, generateId } = options
  const { clock = systemClock, onEvent, fields, enforcesIdempotency = false, sendQuery = false } = options
  const baseUrl = readBaseUrl(options.baseUrl)
  if (signWith !== undefined) materialOf(signWith, "signing", "options.signWith")
  assertInteger(timeoutMs, "options.timeoutMs", 1, MAX_DELAY_MS)
  assertInteger(refreshCooldownMs, "options.refreshCooldownMs", 0, MAX_DELAY_MS)
  assertInteger(maxResponseBytes, "options.maxResponseBytes", 1, MAX_MESSAGE_BYTES)
  for (const [name, value] of Object.entries({ fetch, fields, generateId, clock, onEvent })) {
    if (value !== undefined) assertFunction(value, `options.${name}`)
  }
  if (!Array.isArray(outerHeaders)) {
    throw new TypeError(`options.outerHeaders must be an array, not ${describe(outerHeaders)}`)
  }
  if (!/^\/[\w.~/-]*$/.test(directoryPath)) {
    throw new TypeError('options.directoryPath must be a path such as "/.well-known/sealwire"')
  }
  return {
    baseUrl,
    trust: readTrust(options),
    origin: readOrigin(options.origin ?? baseUrl.origin, "options.origin"),
    signWith,
    session: readSession(options),
    fields,
    fetch,
    backend,
    timeoutMs,
    retry: readRetry(options),
    enforcesIdempotency: enforcesIdempotency === true,
    sendQuery: sendQuery === true,
    maxResponseBytes,
    outerHeaders: readOuterHeaders(outerHeaders),
    outerInit: outerInit(options),
    directoryUrl: baseUrl.origin + directoryPath,
    refreshCooldownMs,
    seqStore,
    generateId,
    clock,
    onEvent,
  }
}
