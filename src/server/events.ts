/**
 * What an endpoint tells its operator. Nothing in an event is secret, and nothing of a message's content is in it.
 *
 * @module
 */

import type { ErrorCode } from "../base/errors.ts"
import type { ProblemName, RefusalStatus } from "../http/problem.ts"
import type { AuthenticationFailure } from "./principal.ts"
import type { RefusalReason } from "./refusal-error.ts"
import type { Level } from "./routes.ts"

/** One thing that happened, without when and where from. */
export type Happening =
  /** Refused before the message was authentic: the peer got the one answer of that status. */
  | {
      readonly type: "refused"
      readonly status: RefusalStatus
      /** Why, as far as it is known; never told to the peer. */
      readonly code: ErrorCode | undefined
      /** Why an open request was not authenticated, or which protection refused it before its content counted. */
      readonly reason?: AuthenticationFailure | RefusalReason | undefined
    }
  /** An authentic message that was answered by a sealed refusal; no handler ran. */
  | {
      readonly type: "problem"
      readonly problem: ProblemName
      /** The key that the message was sealed to, or the session. */
      readonly kid: string
      /** Thumbprint of who signed the message; undefined for nobody. */
      readonly signer: string | undefined
      /** Of `unauthorized` and `forbidden`; never told to the peer. */
      readonly reason?: AuthenticationFailure
    }
  /** A handler ran and answered. */
  | {
      readonly type: "answered"
      readonly level: Level
      readonly requestId: string
      readonly signer: string | undefined
      /** Who the request is by, where that was asked. */
      readonly principal: string | undefined
      readonly status: number
    }
  /** An operation was repeated, and got its first answer: no handler ran. */
  | { readonly type: "repeated"; readonly requestId: string; readonly signer: string | undefined }
  /** A session was opened, or ended by its client. */
  | {
      readonly type: "session-opened" | "session-ended"
      readonly session: string
      /** Thumbprint of who signed its opening; undefined for nobody. */
      readonly signer: string | undefined
    }
  /** Told once, at the start: these routes are `high`, and nothing here authenticates those who ask. */
  | { readonly type: "unauthenticated-routes"; readonly routes: readonly string[] }
  /** A handler threw; the peer got a sealed 500 without the error. */
  | { readonly type: "handler-failed"; readonly requestId: string; readonly error: unknown }
  /** A shared limiter failed or was too slow; this process counted by itself. */
  | { readonly type: "limiter-failed"; readonly error: unknown }
  /** More happened in a second than may be told one by one. */
  | { readonly type: "suppressed"; readonly of: string; readonly count: number }
  /** Something about the configuration that weakens it. */
  | { readonly type: "warning"; readonly warning: "plain-http" | "source-unknown" }

/** When something happened, and where it came from. */
export interface Circumstances {
  /** Unix milliseconds. */
  readonly at: number
  /** The client's network: an IPv4 address, or the /64 of an IPv6 one. Undefined: not known, or nobody's doing. */
  readonly source: string | undefined
}

/** One thing that happened at an endpoint. */
export type EndpointEvent = Happening & Circumstances

/** Takes events. What it gives or throws is ignored. */
export type OnEndpointEvent = (event: EndpointEvent) => unknown

/** Takes what happened, and adds the circumstances. */
export type OnHappening = (happening: Happening) => unknown

/** Reports without letting the listener decide about requests, now or later. */
export async function report(onEvent: OnHappening | undefined, event: Happening): Promise<void> {
  try {
    await onEvent?.(event)
  } catch {
    // a metrics system that fails is no reason to refuse messages
  }
}
