/**
 * A request that is refused unsealed, before its message is authentic. docs/protocol.md §8.
 *
 * @module
 */

import type { RefusalStatus } from "../http/problem.ts"

/** Thrown on the way to an authentic message; the endpoint answers with the one refusal of that status. */
export class Refusal extends Error {
  readonly status: RefusalStatus
  readonly retryAfterSeconds: number | undefined

  constructor(status: RefusalStatus, retryAfterSeconds?: number) {
    super(`refused with ${status}`)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}
