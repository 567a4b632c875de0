/**
 * A request that is refused unsealed, before its message is authentic. docs/protocol.md §8.
 *
 * @module
 */

import type { ErrorCode } from "../base/errors.ts"
import type { HeaderPair } from "../http/message.ts"
import type { RefusalStatus } from "../http/problem.ts"

/** A protection that refuses a request for how it came: plain HTTP, by another site's doing, or too often. */
export type RefusalReason = "plain-http" | "foreign-origin" | "source-limit" | "principal-limit"

/** What an operator and a peer are told besides the status. */
export interface RefusalDetails {
  /** For the operator: why nothing came of the message. */
  readonly code?: ErrorCode
  /** For the operator. */
  readonly reason?: RefusalReason
  /** For the peer. */
  readonly headers?: readonly HeaderPair[]
}

/**
 * Thrown on the way to an authentic message; the endpoint answers with the one refusal of that status. Not an `Error`: nobody reads
 * its stack, and under a flood each stack would cost more than finding out that a request is bad.
 */
export class Refusal {
  readonly status: RefusalStatus
  readonly retryAfterSeconds: number | undefined
  readonly details: RefusalDetails

  constructor(status: RefusalStatus, retryAfterSeconds?: number, details: RefusalDetails = {}) {
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
    this.details = details
  }
}
