/**
 * Security headers of what an endpoint answers itself: nothing of it is a page, so everything that pages may do is forbidden.
 * docs/guides/secure-server.md has the reasons. What a handler says of its own answer stays.
 *
 * @module
 */

import { describe } from "../base/text.ts"

/** Header names and values; `false` leaves a header out. */
export type SecurityHeaders = Readonly<Record<string, string | false>>

const HSTS = "strict-transport-security"

const DEFAULTS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  [HSTS]: "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // the filter that it once steered could be made to remove parts of a page
  "x-xss-protection": "0",
}

/** Sets the headers that are not there yet. */
export type Secure = (headers: Pick<Headers, "has" | "set">, isEncrypted: boolean) => void

/** A value as it goes out. */
function readHeader(name: string, value: unknown): string | false {
  if (value === false) return false
  if (typeof value !== "string") {
    throw new TypeError(`options.securityHeaders: "${name}" must be text or false, not ${describe(value)}`)
  }
  try {
    return new Headers([[name, value]]).get(name) ?? ""
  } catch {
    throw new TypeError(`options.securityHeaders: "${name}" is not a header with such a value`)
  }
}

/**
 * Reads the option `securityHeaders`.
 *
 * @throws `TypeError` naming the header.
 */
export function readSecurityHeaders(given: SecurityHeaders): Secure {
  if (typeof given !== "object" || (given as unknown) === null) {
    throw new TypeError(`options.securityHeaders must be an object, not ${describe(given)}`)
  }
  const merged: Record<string, string | false> = { ...DEFAULTS }
  for (const [name, value] of Object.entries(given)) {
    merged[name.toLowerCase()] = readHeader(name, value)
  }
  const all = Object.entries(merged).filter((each): each is [string, string] => each[1] !== false)
  return (headers, isEncrypted) => {
    for (const [name, value] of all) {
      // RFC 6797 §7.2: not over plain HTTP
      if (!headers.has(name) && (name !== HSTS || isEncrypted)) headers.set(name, value)
    }
  }
}
