/**
 * What a row of the check is made of: what it will send, what it makes of the answer, and what to do where that is not as it should be.
 *
 * @module
 */

import type { Certificate } from "./handshake.ts"
import type { Target } from "./target.ts"
import type { Reply, Wire } from "./wire.ts"

/** How a row ended. */
export type Verdict = "pass" | "fail" | "not tested"

/** What came back, and what it means. */
export interface Finding {
  readonly verdict: Verdict
  readonly received: string
  /** What to do, where that depends on what came back. */
  readonly advice?: string
}

/** A key directory that has proven to be what its identity key said. */
export interface TrustedDirectory {
  readonly text: string
  /** Thumbprint of the identity key that signed it. */
  readonly identity: string
  readonly seq: number
}

/** What rows learn, for those after them. */
export interface Notes {
  directory?: TrustedDirectory
  certificate?: Certificate
  /** The route takes what is not sealed: what looks like it would reach a handler. */
  takesUnsealed?: true
  /** Answers to look at once more, and what they are. */
  readonly replies: Map<"directory" | "sealed answer" | "refusal", Reply>
}

/** What a probe works with. */
export interface Probing {
  readonly target: Target
  readonly wire: Wire
  readonly notes: Notes
}

/** One row of the table. */
export interface Probe {
  readonly name: string
  /** One line for each request and handshake, at most. Empty: looks at the answers that others have brought. */
  readonly sends: readonly string[]
  /** What to do where it fails. */
  readonly advice: string
  /** Why it is not run; what to do about that. */
  readonly skip?: string | undefined
  run(probing: Probing): Promise<Finding>
}

/** As it should be. */
export const pass = (received: string): Finding => ({ verdict: "pass", received })
/** Not as it should be. */
export const fail = (received: string): Finding => ({ verdict: "fail", received })
/** Nobody knows. */
export const notTested = (received: string, advice = "see to that, and run it again"): Finding => ({
  verdict: "not tested",
  received,
  advice,
})

/** A reply in a few words. */
export function summaryOf({ status, headers, body }: Reply): string {
  const type = (headers.get("content-type") ?? "no type").split(";", 1)[0] ?? ""
  return `${status} ${type}${body.length === 0 ? ", empty" : ""}`
}

/** Whether a reply says that the request was wrong: not done, and not sent elsewhere. */
export const isRefusal = ({ status }: Reply): boolean => status >= 400 && status < 500

/** What a reply says that comes too early to mean anything: the limit ran out, or the server has enough to do. */
export function busy({ status, headers }: Reply): Finding | undefined {
  if (status !== 429 && status !== 503) return undefined
  const wait = headers.get("retry-after")
  const when = wait === null ? "" : `, retry-after ${wait}`
  return notTested(
    `${status}${when}`,
    "wait until the server takes more, or check a route whose limit is higher",
  )
}
