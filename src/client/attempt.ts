/**
 * One attempt: sealed anew, sent, and its answer opened. docs/protocol.md §8.
 *
 * @module
 */

import { type ErrorCode, SealwireError } from "../base/errors.ts"
import { MAX_MESSAGE_BYTES } from "../base/limits.ts"
import { contextOf } from "../envelope/context.ts"
import type { EnvelopeEnd } from "../envelope/exporter.ts"
import { replyReader } from "../envelope/reply.ts"
import { readProblem } from "../http/problem.ts"
import { ENVELOPE_HEADER, ENVELOPE_TYPE, FIELDS_TYPE, MAX_HEADER_CHARACTERS } from "../http/wire.ts"
import { type Answer, isRedirect, readAnswer, unsealed } from "./answer.ts"
import { discard, type OnBytes } from "./body.ts"
import type { CorrectedClock } from "./corrected-clock.ts"
import { Deadline } from "./deadline.ts"
import type { Emit } from "./events.ts"
import type { Settings } from "./options.ts"
import type { Recipient, Target } from "./recipient.ts"
import type { Operation } from "./request.ts"
import { responseOf } from "./response.ts"
import { mayPass, type Outcome, parseRetryAfter } from "./retry.ts"

/** How an attempt ended: in an answer, or in what is thrown unless another attempt follows. */
export type End = Outcome &
  ({ readonly response: Response; readonly isStream: boolean } | { readonly error: unknown })

/** What attempts share. */
export interface Sender {
  readonly settings: Settings
  readonly recipient: Recipient
  readonly clock: CorrectedClock
  readonly emit: Emit
}

/** What events about an operation say. */
export function aboutOf({ requestId, method, url }: Operation): {
  requestId: string
  method: string
  path: string
} {
  return { requestId, method, path: url.pathname }
}

/** Where the envelope stands: in the body where there is one, or where a header is too short. */
function carry(
  envelope: string,
  { method, hasBody, parted }: Operation,
): { headers: [string, string][]; body?: string } {
  if (parted) return { headers: [["content-type", FIELDS_TYPE]], body: parted.withEnvelope(envelope) }
  const mayHaveBody = method !== "GET" && method !== "HEAD"
  const isLong = envelope.length > MAX_HEADER_CHARACTERS
  if (hasBody || (isLong && mayHaveBody))
    return { headers: [["content-type", ENVELOPE_TYPE]], body: envelope }
  if (!isLong) return { headers: [[ENVELOPE_HEADER, envelope]] }
  throw new SealwireError(
    "ERR_TOO_LARGE",
    `a sealed ${method} of ${envelope.length} characters does not fit a header of ${MAX_HEADER_CHARACTERS}: use POST`,
  )
}

function outerRequest(
  operation: Operation,
  envelope: string,
  settings: Settings,
  signal: AbortSignal,
): [string, RequestInit] {
  const { url, method } = operation
  const { headers, body } = carry(envelope, operation)
  for (const name of settings.outerHeaders) {
    const value = operation.headers.get(name)
    if (value !== undefined) headers.push([name, value])
  }
  const target = url.origin + url.pathname + (settings.sendQuery ? url.search : "")
  const init: RequestInit = { ...settings.outerInit, method, headers, signal }
  if (body !== undefined) init.body = body
  return [target, init]
}

/** The sealed refusals that are no answer to the application, and what they say of the request. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  stale: ["ERR_STALE", "was too old for the server, or from the future"],
  replayed: ["ERR_REPLAYED", "came to the server before: what became of it is not known"],
  fields: ["ERR_FIELDS", "needs other fields sealed"],
  mismatch: ["ERR_MISMATCH", "came to the server under another method or path"],
}

function refusedBy(answer: Answer, { clock, emit }: Sender): End | undefined {
  const { name = "", members = {} } = readProblem(answer) ?? {}
  if (answer.stream || !Object.hasOwn(REFUSALS, name)) return undefined
  const [code, what] = REFUSALS[name] as readonly [ErrorCode, string]
  const error = new SealwireError(code, `the request ${what}`)
  if (name === "replayed") return { reason: name, error }
  const offsetMs = name === "stale" ? clock.correct(members["now"]) : undefined
  if (offsetMs === undefined) return { error }
  emit({ type: "time-offset", offsetMs })
  return { reason: "stale", error }
}

/** Whether the server asks to come again. */
function retryOf(answer: Answer, { clock }: Sender): Outcome {
  const { status, headers, stream } = answer
  const [, value = null] = headers.find(([name]) => name === "retry-after") ?? []
  const retryAfterMs = parseRetryAfter(value, clock.nowMs())
  if (stream || retryAfterMs === undefined || (status !== 429 && status !== 503)) return {}
  const reason = readProblem(answer)?.name === "rate-limited" ? "rate-limited" : "unavailable"
  return { reason, retryAfterMs }
}

/** What may follow where no key was to be had: nothing was sent. */
function withoutKeys(error: unknown): End {
  const { code, outerStatus, retryAfterSeconds } = error instanceof SealwireError ? error : {}
  const isPassing = code === "ERR_NETWORK" || code === "ERR_TIMEOUT" || code === "ERR_NO_SESSION"
  const isBusy = outerStatus !== undefined && outerStatus !== 200 && mayPass(outerStatus)
  const reason = isPassing || isBusy ? "no-keys" : undefined
  return { error, reason, retryAfterMs: retryAfterSeconds && retryAfterSeconds * 1000 }
}

/** What may follow a failure after the envelope was sent. */
async function failureOf(error: unknown, target: Target, deadline: Deadline): Promise<End> {
  if (!(error instanceof SealwireError)) {
    const message = "the request or its answer was lost"
    return { reason: "network", error: new SealwireError("ERR_NETWORK", message, { cause: error }) }
  }
  const { code, outerStatus = 0 } = error
  if (code === "ERR_TIMEOUT") return { reason: "timeout", error }
  if (code !== "ERR_UNSEALED") return { error }
  if (outerStatus === 400 || outerStatus === 401) {
    const reason = await deadline.wait(target.refused(outerStatus)).catch(() => undefined)
    if (reason !== "no-session") return { reason, error }
    return { reason, error: new SealwireError("ERR_NO_SESSION", "the session has ended", { outerStatus }) }
  }
  return { reason: mayPass(outerStatus) ? "unsealed" : undefined, error }
}

/** How far an answer has come, for those who watch. */
function progressOf(operation: Operation, { emit }: Sender, response: Response): OnBytes {
  const total = Number(response.headers.get("content-length"))
  const totalBytes = total > 0 ? total : undefined
  return (receivedBytes) => emit({ type: "progress", ...aboutOf(operation), receivedBytes, totalBytes })
}

/** Sends an envelope and takes what comes back. */
async function exchange(
  operation: Operation,
  end: EnvelopeEnd,
  target: Target,
  sender: Sender,
  deadline: Deadline,
): Promise<End> {
  const { settings, clock } = sender
  const { maxResponseBytes } = settings
  const [url, init] = outerRequest(operation, end.envelope, settings, deadline.signal)
  const readReply = await replyReader(end)
  let retryAfterMs: number | undefined
  try {
    const outer = await deadline.wait(settings.fetch(url, init))
    retryAfterMs = parseRetryAfter(outer.headers.get("retry-after"), clock.nowMs())
    // repeated as little as followed
    if (isRedirect(outer)) {
      discard(outer)
      return { error: unsealed(outer, "a redirect") }
    }
    const onBytes = progressOf(operation, sender, outer)
    const answer = await deadline.wait(
      readAnswer(outer, { end, parted: operation.parted, readReply, maxResponseBytes, onBytes, deadline }),
    )
    target.answered()
    const response = responseOf(answer, operation)
    return refusedBy(answer, sender) ?? { ...retryOf(answer, sender), response, isStream: !!answer.stream }
  } catch (error) {
    return { ...(await failureOf(error, target, deadline)), retryAfterMs }
  }
}

function assertFits({ message: { length } }: Operation): void {
  if (length <= MAX_MESSAGE_BYTES) return
  const message = `the request is ${length} bytes, above the limit of ${MAX_MESSAGE_BYTES}`
  throw new SealwireError("ERR_TOO_LARGE", message)
}

async function sealAndSend(
  operation: Operation,
  sender: Sender,
  attempt: number,
  deadline: Deadline,
): Promise<End> {
  let target: Target
  let end: EnvelopeEnd
  try {
    assertFits(operation)
    target = await deadline.wait(sender.recipient.current())
    const { parted, message } = operation
    const issuedAtSeconds = Math.floor(sender.clock.nowMs() / 1000)
    const context = parted && contextOf(parted.context)
    end = await target.seal(parted?.message ?? message, issuedAtSeconds, context)
  } catch (error) {
    return withoutKeys(error)
  }
  const { kid, envelope } = end
  sender.emit({ type: "attempt", ...aboutOf(operation), attempt, kid, sentBytes: envelope.length })
  return exchange(operation, end, target, sender, deadline)
}

/**
 * Makes one attempt.
 *
 * @throws The reason of the caller's signal; what the sealing of this request would throw each time.
 */
export async function attemptOnce(
  operation: Operation,
  sender: Sender,
  number: number,
  remainingMs: number,
): Promise<End> {
  const deadline = new Deadline(Math.min(sender.settings.timeoutMs, remainingMs), operation.signal)
  let isOpen = false
  try {
    const end = await sealAndSend(operation, sender, number, deadline)
    operation.signal?.throwIfAborted()
    isOpen = "response" in end && end.isStream
    return end
  } finally {
    // the signal goes on for as long as the stream does
    if (isOpen) deadline.stopClock()
    else deadline.end()
  }
}

/** What was thrown, with the id of the request. A copy: requests that wait for one directory share its failure. */
export function identified(
  error: unknown,
  { requestId }: Operation,
  retryAfterMs: number | undefined,
): unknown {
  if (!(error instanceof SealwireError)) return error
  const { code, message, cause, outerStatus } = error
  return new SealwireError(code, message, {
    ...(cause === undefined ? {} : { cause }),
    requestId,
    outerStatus,
    retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000),
  })
}
