/**
 * Plain HTTP is refused, not redirected: a redirect comes after the request has been seen, and teaches clients to send the next one
 * that way, too. Loopback is exempt, and origins that an operator has named.
 *
 * @module
 */

import { describe } from "../base/text.ts"
import { readOrigin } from "../http/wire.ts"
import { isLoopbackHost, type Source } from "./source.ts"

/** Says whether a request came in a way that may be answered. */
export type MayPass = (source: Source) => boolean

const isPlain = (origin: string): boolean =>
  origin.startsWith("http:") && !isLoopbackHost(new URL(origin).hostname)

/**
 * Reads the option `dangerouslyAllowHttp`, and holds the configured origins to it.
 *
 * @param origins - The endpoint's own, and those of pages.
 * @throws `TypeError` for an `http:` origin that it does not name, and for one that it names in vain.
 */
export function readPlainHttp(
  allowed: readonly string[],
  ownOrigin: string,
  origins: readonly string[],
): MayPass {
  if (!Array.isArray(allowed)) {
    throw new TypeError(`options.dangerouslyAllowHttp must be an array of origins, not ${describe(allowed)}`)
  }
  const named = allowed.map((each: string) => readOrigin(each, "options.dangerouslyAllowHttp"))
  const used = [ownOrigin, ...origins].filter(isPlain)
  const missing = used.find((origin) => !named.includes(origin))
  if (missing !== undefined) {
    throw new TypeError(
      `"${missing}" is plain HTTP: whoever is on the way can replace the page, and what it seals with. Use https, or \
name it in options.dangerouslyAllowHttp`,
    )
  }
  const vain = named.find((origin) => !used.includes(origin))
  if (vain !== undefined) {
    throw new TypeError(
      `options.dangerouslyAllowHttp names "${vain}", which is not an http: origin that is used here`,
    )
  }
  const isOwnPlain = isPlain(ownOrigin)
  return ({ isEncrypted, isLoopback }) => isEncrypted || isLoopback || isOwnPlain
}
