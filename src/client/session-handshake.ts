/**
 * Opening a session over HTTP. docs/protocol.md §6 and §8.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"
import { parseResponse } from "../http/message.ts"
import { readProblem } from "../http/problem.ts"
import { ENVELOPE_TYPE, mediaType, SESSIONS_PATH } from "../http/wire.ts"
import { type Offered, sayHello } from "../session/handshake.ts"
import type { Offer } from "../session/offer.ts"
import type { SecretBytes } from "../session/secret.ts"
import { isRedirect } from "./answer.ts"
import { discard, readText } from "./body.ts"
import type { CorrectedClock } from "./corrected-clock.ts"
import { Deadline } from "./deadline.ts"
import type { Emit } from "./events.ts"
import type { Settings } from "./options.ts"
import { parseRetryAfter } from "./retry.ts"

/** A session that the server has confirmed. */
export interface OpenedSession {
  readonly offer: Offer
  readonly identity: string
  readonly secret: SecretBytes
}

/** What opening takes. */
export interface HandshakeTerms {
  readonly settings: Settings
  readonly pins: readonly string[]
  readonly clock: CorrectedClock
  readonly emit: Emit
}

/** An offer of a key of 4096 bits has 1,600 characters, a confirmation 450. */
const MAX_ANSWER_BYTES = 8192

function refused(response: Response, nowMs: number): SealwireError {
  const { status: outerStatus, headers } = response
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"), nowMs)
  const code = outerStatus === 401 ? "ERR_NO_SESSION" : "ERR_KEYS_UNTRUSTED"
  return new SealwireError(code, `the server gave no session, and answered with status ${outerStatus}`, {
    outerStatus,
    retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000),
  })
}

/** Sends one of the two questions; anything but an envelope or a JWS in answer is none. */
async function ask(
  path: string,
  type: string,
  body: string,
  terms: HandshakeTerms,
  deadline: Deadline,
): Promise<string> {
  const { settings, clock } = terms
  const { outerInit, baseUrl, fetch } = settings
  const init = {
    ...outerInit,
    method: "POST",
    headers: { "content-type": type },
    body,
    signal: deadline.signal,
  }
  try {
    const response = await deadline.wait(fetch(baseUrl.origin + path, init))
    const isAnswer =
      !isRedirect(response) && mediaType(response.headers.get("content-type")) === ENVELOPE_TYPE
    const text = isAnswer ? await deadline.wait(readText(response, MAX_ANSWER_BYTES)) : undefined
    if (text !== undefined) return text
    discard(response)
    throw refused(response, clock.nowMs())
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_NETWORK", "the server could not be asked for a session", { cause })
  }
}

async function open(
  { offer, identity, seal }: Offered,
  terms: HandshakeTerms,
  deadline: Deadline,
): Promise<OpenedSession> {
  const { clock, emit } = terms
  for (let isFirst = true; ; isFirst = false) {
    const opening = await seal(Math.floor(clock.nowMs() / 1000))
    const path = `${SESSIONS_PATH}/${offer.sessionId}`
    const text = await ask(path, ENVELOPE_TYPE, opening.envelope, terms, deadline)
    const reply = await opening.readReply(text)
    const answer = parseResponse(reply.message)
    if (!answer) return { offer, identity, secret: await opening.confirm(reply) }
    const problem = readProblem(answer)
    const offsetMs = problem?.name === "stale" ? clock.correct(problem.members["now"]) : undefined
    if (offsetMs !== undefined) emit({ type: "time-offset", offsetMs })
    // an authentic refusal leaves the offer as it was
    if (offsetMs === undefined || !isFirst) {
      throw new SealwireError(
        problem?.name === "stale" ? "ERR_STALE" : "ERR_NO_SESSION",
        `the server refused to open a session: ${problem?.name ?? answer.status}`,
      )
    }
  }
}

/**
 * Opens a session.
 *
 * @throws `SealwireError` `ERR_KEYS_UNTRUSTED`, `ERR_KEY`, `ERR_NO_SESSION`, `ERR_STALE`, `ERR_OPEN_FAILED`, `ERR_NETWORK`,
 *   `ERR_TIMEOUT`.
 */
export async function openOverHttp(terms: HandshakeTerms): Promise<OpenedSession> {
  const { settings, pins, clock } = terms
  const { backend, origin, signWith, timeoutMs } = settings
  const deadline = new Deadline(timeoutMs, undefined)
  try {
    const hello = sayHello(backend, { pins, origin }, signWith)
    const text = await ask(SESSIONS_PATH, "application/json", hello.text, terms, deadline)
    const offered = await hello.readOffer(text, Math.floor(clock.nowMs() / 1000))
    return await open(offered, terms, deadline)
  } finally {
    deadline.end()
  }
}
