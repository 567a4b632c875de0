/**
 * Serving the key directory: signed when it is asked for, and kept while it says what is true. docs/protocol.md §7.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { MAX_DIRECTORY_SECONDS, signDirectory } from "../http/directory.ts"
import { type OuterResponse, ownAnswer } from "../http/outer-response.ts"
import { refusal } from "../http/problem.ts"
import { ENVELOPE_TYPE } from "../http/wire.ts"
import { materialOf, type PublicKey, type SigningKey } from "../keys/key.ts"
import type { OuterRequest } from "./outer-request.ts"

/** Options of the directory that an endpoint serves. */
export interface DirectoryOptions {
  /** The server's long-term key, which clients pin. It signs directories and offers, and nothing else. */
  readonly identity: SigningKey
  /**
   * Rises with every change of the published keys, the same on all servers; clients refuse a directory with a lower one than
   * they have seen. A function is asked each time. Default: 1.
   */
  readonly seq?: number | (() => number)
  /** Thumbprints of coming identity keys, told to the applications that use this server. Default: none. */
  readonly next?: readonly string[]
  /** How long a directory is good, in seconds: 60 to 86,400. Default: 3,600. A lost identity key is believed as long. */
  readonly lifetimeSeconds?: number
}

const OPTIONS = ["identity", "seq", "next", "lifetimeSeconds"]

/** Answers `GET /.well-known/sealwire`. */
export type ServeDirectory = (request: OuterRequest) => Promise<OuterResponse>

/** Proxies may keep a directory this long: a key that was just published is not needed sooner. */
const CACHE_SECONDS = 60

interface Signed {
  readonly text: Promise<string>
  /** Which keys and `seq` it names. */
  readonly says: string
  readonly renewAtSeconds: number
}

/**
 * Reads the option `directory`.
 *
 * @throws `TypeError` or `RangeError` naming the option.
 */
export function directoryServer(
  options: DirectoryOptions,
  origin: string,
  published: () => readonly PublicKey[],
  clock: Clock,
): ServeDirectory {
  assertOptions(options, "options.directory", OPTIONS)
  const { identity, seq = 1, next = [], lifetimeSeconds = 3600 } = options
  materialOf(identity, "signing", "options.directory.identity")
  assertInteger(lifetimeSeconds, "options.directory.lifetimeSeconds", 60, MAX_DIRECTORY_SECONDS)
  if (!Array.isArray(next)) {
    throw new TypeError(`options.directory.next must be an array of thumbprints, not ${describe(next)}`)
  }
  const readSeq = typeof seq === "function" ? seq : () => seq
  assertInteger(readSeq(), "options.directory.seq", 1, Number.MAX_SAFE_INTEGER)
  let current: Signed | undefined

  function sign(): Promise<string> {
    const keys = published()
    const nowSeconds = Math.floor(clock() / 1000)
    const number = readSeq()
    const says = [number, ...keys.map(({ kid }) => kid)].join(" ")
    if (current?.says === says && nowSeconds < current.renewAtSeconds) return current.text
    const text = signDirectory(identity, {
      origin,
      issuedAtSeconds: nowSeconds,
      expiresAtSeconds: nowSeconds + lifetimeSeconds,
      keys,
      next,
      seq: number,
    })
    current = { text, says, renewAtSeconds: nowSeconds + lifetimeSeconds / 2 }
    return text
  }

  return async ({ method }) => {
    if (method !== "GET" && method !== "HEAD") return refusal(405)
    const text = await sign()
    return ownAnswer(method === "HEAD" ? null : text, [
      ["content-type", ENVELOPE_TYPE],
      ["cache-control", `public, max-age=${CACHE_SECONDS}`],
    ])
  }
}
