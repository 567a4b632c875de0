/**
 * What the makers of API keys may choose, read and checked.
 *
 * @module
 */

import { type Bytes, isBytes } from "../base/bytes.ts"
import { type Clock, systemClock } from "../base/clock.ts"
import { assertFunction, assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { isPrefix } from "./key-text.ts"
import type { ApiKeyStore } from "./record.ts"

/** Options of `createApiKeys`. */
export interface ApiKeysOptions {
  /** Where their records are kept. */
  readonly store: ApiKeyStore
  /** What each key begins with: 1 to 16 lower-case letters and digits, a letter first. Default: `"sw"`. */
  readonly prefix?: string
  /**
   * 32 secret bytes from elsewhere than the store: whoever writes to the store alone can then add no key that works. All keys
   * end when it changes. Default: none.
   */
  readonly pepper?: Uint8Array
  /** How seldom a key's last use is noted, in seconds: 0 to 86,400. Default: 60. */
  readonly touchEverySeconds?: number
  /** Unix milliseconds. Default: the platform's clock. */
  readonly clock?: Clock
}

/** What a new key is for. */
export interface CreateApiKeyOptions {
  /** Whom it stands for: 1 to 128 printable ASCII characters without spaces. */
  readonly principal: string
  /** What it allows: at most 64, each 1 to 64 printable ASCII characters without spaces. Default: nothing. */
  readonly scopes?: readonly string[]
  /** Its life in seconds: 1 to 3,153,600,000. Default: no end. */
  readonly expiresInSeconds?: number
}

/** How a key is replaced. */
export interface RotateApiKeyOptions {
  /** How long the old key goes on, in seconds: 0 to 7,776,000. Default: 86,400. */
  readonly overlapSeconds?: number
  /** The new key's life in seconds: 1 to 3,153,600,000. Default: as long as the old one's was meant to be. */
  readonly expiresInSeconds?: number
}

const OPTIONS = ["store", "prefix", "pepper", "touchEverySeconds", "clock"]
const STORE_METHODS = ["add", "find", "list", "end", "touch"]
const PEPPER_BYTES = 32
const CENTURY_SECONDS = 3_153_600_000
const QUARTER_SECONDS = 7_776_000
const DAY_SECONDS = 86_400
const MAX_SCOPES = 64

/** What all keys of a server share. */
export interface KeysTerms {
  readonly store: ApiKeyStore
  readonly prefix: string
  readonly pepper: Bytes | undefined
  readonly touchEveryMs: number
  readonly clock: Clock
}

/** What a new record says. */
export interface Draft {
  readonly principal: string
  readonly scopes: readonly string[]
  /** Undefined for no end. */
  readonly lifeMs: number | undefined
}

/** How a key is replaced, in milliseconds. */
export interface Rotation {
  readonly overlapMs: number
  /** Undefined for as long as the old one's. */
  readonly lifeMs: number | undefined
}

/** Names stand in logs and headers as they are. */
function assertName(value: unknown, name: string, longest: number): void {
  if (typeof value === "string" && value.length <= longest && /^[\x21-\x7e]+$/.test(value)) return
  const came = typeof value === "string" ? "another string" : describe(value)
  throw new TypeError(
    `${name} must be 1 to ${longest} printable ASCII characters without spaces, not ${came}`,
  )
}

function readScopes(scopes: readonly string[]): readonly string[] {
  if (!Array.isArray(scopes) || scopes.length > MAX_SCOPES) {
    throw new TypeError(`options.scopes must be an array of at most ${MAX_SCOPES} names`)
  }
  for (const scope of scopes as readonly unknown[]) assertName(scope, "each of options.scopes", 64)
  return [...new Set(scopes as readonly string[])]
}

function readPepper(pepper: Uint8Array | undefined): Bytes | undefined {
  if (pepper === undefined) return undefined
  if (!isBytes(pepper) || pepper.length !== PEPPER_BYTES) {
    throw new TypeError(`options.pepper must be a Uint8Array of ${PEPPER_BYTES} bytes`)
  }
  return new Uint8Array(pepper)
}

function readStore(store: ApiKeyStore): ApiKeyStore {
  const members = ((store as unknown) ?? {}) as Readonly<Record<string, unknown>>
  if (STORE_METHODS.every((method) => typeof members[method] === "function")) return store
  throw new TypeError(`options.store must have ${STORE_METHODS.join(", ")}; it is ${describe(store)}`)
}

function readLife(expiresInSeconds: number | undefined): number | undefined {
  if (expiresInSeconds === undefined) return undefined
  assertInteger(expiresInSeconds, "options.expiresInSeconds", 1, CENTURY_SECONDS)
  return expiresInSeconds * 1000
}

/** Reads the options of `createApiKeys`. */
export function readKeysOptions(options: ApiKeysOptions): KeysTerms {
  assertOptions(options, "options", OPTIONS)
  const { prefix = "sw", touchEverySeconds = 60, clock = systemClock } = options
  if (!isPrefix(prefix)) {
    throw new TypeError("options.prefix must be 1 to 16 lower-case letters and digits, a letter first")
  }
  assertInteger(touchEverySeconds, "options.touchEverySeconds", 0, DAY_SECONDS)
  assertFunction(clock, "options.clock")
  return {
    store: readStore(options.store),
    prefix,
    pepper: readPepper(options.pepper),
    touchEveryMs: touchEverySeconds * 1000,
    clock,
  }
}

/** Reads the options of `create`. */
export function readDraft(options: CreateApiKeyOptions): Draft {
  assertOptions(options, "options", ["principal", "scopes", "expiresInSeconds"])
  const { principal, scopes = [], expiresInSeconds } = options
  assertName(principal, "options.principal", 128)
  return { principal, scopes: readScopes(scopes), lifeMs: readLife(expiresInSeconds) }
}

/** Reads the options of `rotate`. */
export function readRotation(options: RotateApiKeyOptions): Rotation {
  assertOptions(options, "options", ["overlapSeconds", "expiresInSeconds"])
  const { overlapSeconds = DAY_SECONDS, expiresInSeconds } = options
  assertInteger(overlapSeconds, "options.overlapSeconds", 0, QUARTER_SECONDS)
  return { overlapMs: overlapSeconds * 1000, lifeMs: readLife(expiresInSeconds) }
}
