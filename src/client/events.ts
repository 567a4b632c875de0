/**
 * What a client tells about its work. Never a body, a header's value or a query.
 *
 * @module
 */

import type { ErrorCode } from "../base/errors.ts"
import type { RetryReason } from "./retry.ts"

/** What every event about a request says. */
interface AboutRequest {
  readonly requestId: string
  readonly method: string
  /** Without query. */
  readonly path: string
}

/** An attempt is sealed and about to be sent: `sentBytes` of envelope to the key `kid`. */
export interface AttemptEvent extends AboutRequest {
  readonly type: "attempt"
  /** 1 for the first. */
  readonly attempt: number
  /** Thumbprint of the key, or the session. */
  readonly kid: string
  /** Length of the envelope. */
  readonly sentBytes: number
}

/** More of an answer has arrived; sealed bytes, not authentic yet. */
export interface ProgressEvent extends AboutRequest {
  readonly type: "progress"
  readonly receivedBytes: number
  /** What the outer `content-length` says; undefined where there is none, as in a stream. */
  readonly totalBytes: number | undefined
}

/** Another attempt follows after `delayMs`. */
export interface RetryEvent extends AboutRequest {
  readonly type: "retry"
  /** The attempt that failed. */
  readonly attempt: number
  readonly reason: RetryReason
  readonly delayMs: number
}

/** A sealed answer is handed to the application. */
export interface AnswerEvent extends AboutRequest {
  readonly type: "answer"
  /** The inner one. */
  readonly status: number
  /** From the call to `fetch` until now, waits included. */
  readonly durationMs: number
}

/** The request is refused. */
export interface FailureEvent extends AboutRequest {
  readonly type: "failure"
  /** Undefined where the caller's signal ended it. */
  readonly code: ErrorCode | undefined
  /** From the call to `fetch` until now, waits included. */
  readonly durationMs: number
}

/** The server has said its time: this clock is off by `offsetMs`, positive where it is behind. */
export interface TimeOffsetEvent {
  readonly type: "time-offset"
  readonly offsetMs: number
}

/** A key directory was accepted. */
export interface DirectoryEvent {
  readonly type: "directory"
  /** Of this directory: never below one that was accepted before. */
  readonly seq: number
  /** Thumbprints of the recipient keys; messages are sealed to the first. */
  readonly kids: readonly string[]
  /** Thumbprints of the server's coming identity keys. They change no pin: ship them with the next release. */
  readonly next: readonly string[]
}

/** A key directory could not be had, or was refused. */
export interface DirectoryFailureEvent {
  readonly type: "directory-failure"
  readonly code: ErrorCode | undefined
}

/** A session was opened. */
export interface SessionEvent {
  readonly type: "session"
  readonly id: string
  /** Unix milliseconds, by this client's clock: its end at the latest. */
  readonly expiresAtMs: number
}

/** What a client tells. */
export type ClientEvent =
  | AttemptEvent
  | ProgressEvent
  | RetryEvent
  | AnswerEvent
  | FailureEvent
  | TimeOffsetEvent
  | DirectoryEvent
  | DirectoryFailureEvent
  | SessionEvent

/** Tells an event. */
export type Emit = (event: ClientEvent) => void

/** A listener whose failures, also later ones, are its own. */
export function emitterOf(onEvent: ((event: ClientEvent) => unknown) | undefined): Emit {
  return (event) => {
    if (onEvent) void (async () => onEvent(event))().catch(() => undefined)
  }
}
