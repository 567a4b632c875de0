/**
 * One sealed request and its answer: receive, compare with how it came, claim, hand over, seal. docs/protocol.md §3.4 and §8.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { SealwireError } from "../base/errors.ts"
import type { Opened } from "../envelope/opened.ts"
import type { Received, Receiving } from "../envelope/receive.ts"
import type { FieldsCodec } from "../fields/codec.ts"
import type { HeaderPair } from "../http/message.ts"
import type { OuterResponse } from "../http/outer-response.ts"
import { plainProblem, type ProblemName, sealedProblem } from "../http/problem.ts"
import { REQUEST_ID_HEADER } from "../http/wire.ts"
import type { Idempotency } from "../idempotency/operation.ts"
import { type Authenticate, NOT_ASKED, withoutKey } from "./authenticate.ts"
import { type OnHappening, report } from "./events.ts"
import { innerRequest, type Joining } from "./inner-request.ts"
import { type ChargeProven, rateLimitHeaders } from "./limits.ts"
import { runOnce } from "./operation.ts"
import type { OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"
import type { AuthenticationFailure, Principal } from "./principal.ts"
import { receiveRequest, type ReceivingRequests } from "./receive-request.ts"
import { applyTo, isDocument, isDocumentMessage, sealDocument, WHOLE_DOCUMENT } from "./reply-fields.ts"
import type { Level, Route } from "./routes.ts"
import {
  type Answer,
  answerDocument,
  readAnswer,
  sealAnswer,
  type Sealing,
  sealMessage,
  withHeaders,
} from "./sealed-response.ts"

/** What a handler learns about a request besides the request itself. */
export interface RequestDetails {
  /** Of the route, as configured. */
  readonly level: Level
  /** Whether the request came sealed. On a `low` route it may not have, and nothing below is known then. */
  readonly sealed: boolean
  /** The same inside the request, its answer and all of its attempts; empty for an open request that brought none fit for a log. */
  readonly requestId: string
  /** Thumbprint of the key that signed the request, or that opened its session; undefined means that nobody is proven to have sent it. */
  readonly signer: string | undefined
  /** The session that the request came in; undefined outside of sessions. */
  readonly session: string | undefined
  /** The key that the request was sealed to; in a session of mode `once`, the session. */
  readonly kid: string | undefined
  /** When it was sealed, by the sender's clock, to the second. */
  readonly issuedAt: Date | undefined
  /** Who it is by; undefined where the endpoint does not authenticate, or nobody said so and the route does not demand it. */
  readonly principal: Principal | undefined
}

/** Answers an ordinary request by an ordinary response. */
export type Handler = (request: Request, details: RequestDetails) => Response | Promise<Response>

/** What exchanges share. */
export interface Exchanging extends Joining, Sealing, ReceivingRequests {
  readonly receiving: Receiving
  readonly idempotency: Idempotency | undefined
  readonly authenticate: Authenticate | undefined
  readonly onEvent: OnHappening | undefined
  /** Counts a request of whoever is proven to have sent it. */
  readonly chargePrincipal: ChargeProven | undefined
}

const REQUEST_ID = /^[\w.:-]{1,128}$/

/** The sender's id for the request, where it can stand in a log line; else undefined. */
export function givenRequestId({ headers }: Request): string | undefined {
  const given = headers.get(REQUEST_ID_HEADER) ?? ""
  return REQUEST_ID.test(given) ? given : undefined
}

const newRequestId = ({ authentic }: Received): string =>
  encodeBase64url(authentic.selected.backend.randomBytes(16))

/** What else a sealed refusal says. */
interface RefusedFor {
  /** To the operator. */
  readonly reason?: AuthenticationFailure
  /** To the peer. */
  readonly headers?: readonly HeaderPair[]
}

/** Answers an authentic message by a sealed refusal. */
export async function refuseSealed(
  received: Received,
  problem: ProblemName,
  outer: OuterRequest,
  terms: Exchanging,
  { reason, headers = [] }: RefusedFor = {},
): Promise<OuterResponse> {
  const { header, signer } = received.authentic
  const event = { type: "problem", problem, kid: header.kid, signer } as const
  void report(terms.onEvent, reason ? { ...event, reason } : event)
  const members = problem === "stale" ? { now: Math.floor(terms.receiving.replay.now() / 1000) } : {}
  return sealMessage(received, sealedProblem(problem, members, headers), outer.method, terms)
}

/** Step 8; the name of the sealed refusal where the message does not count. */
export async function admit(received: Pick<Received, "admit">): Promise<Opened | ProblemName> {
  try {
    return await received.admit()
  } catch (error) {
    const code = error instanceof SealwireError ? error.code : undefined
    if (code === "ERR_STALE") return "stale"
    if (code === "ERR_REPLAYED") return "replayed"
    throw error
  }
}

async function handle(
  next: Handler,
  inner: Request,
  details: RequestDetails,
  terms: Exchanging,
  policy: FieldsCodec | undefined,
): Promise<Answer> {
  try {
    const response = await next(inner, details)
    const { requestId } = details
    if (!policy || !isDocument(response.status, response.headers.get("content-type"))) {
      return await readAnswer(response, requestId, inner.method, terms)
    }
    const whole = { ...terms, ...WHOLE_DOCUMENT }
    return await applyTo(await readAnswer(response, requestId, inner.method, whole), policy)
  } catch (error) {
    void report(terms.onEvent, { type: "handler-failed", requestId: details.requestId, error })
    // cut off by the peer: whether it was carried out is not known, so no answer of it may be kept and repeated
    if (inner.signal.aborted) throw new Refusal(503)
    return { message: plainProblem(500, "Internal Server Error"), rest: undefined, cookies: [] }
  }
}

/**
 * Answers a sealed request.
 *
 * @throws `Refusal` or `SealwireError` for what is refused unsealed.
 */
export async function exchange(
  outer: OuterRequest,
  route: Route,
  next: Handler,
  terms: Exchanging,
): Promise<OuterResponse | Response> {
  const { received, isHeld, replyFields } = await receiveRequest(outer, route, terms)
  if (!isHeld) return refuseSealed(received, "fields", outer, terms)
  const inner = innerRequest(received.authentic.message, outer, terms)
  if (!inner) return refuseSealed(received, "mismatch", outer, terms)
  const opened = await admit(received)
  if (typeof opened === "string") return refuseSealed(received, opened, outer, terms)

  const { signer, session, kid, issuedAt } = opened
  const requestId = givenRequestId(inner) ?? newRequestId(received)
  const { level } = route
  const known = { level, sealed: true, requestId, signer, session, kid, issuedAt }
  const proven = (await terms.authenticate?.(inner, known, route)) ?? NOT_ASKED
  if (proven.refused) return refuseSealed(received, proven.refused, outer, terms, { reason: proven.reason })
  const { principal } = proven
  const details: RequestDetails = { ...known, principal }
  // after the claim and the proof: neither a copy of somebody's message nor his name is charged to him
  const counted = await terms.chargePrincipal?.(details)
  const limit = counted ? rateLimitHeaders(counted) : []
  if (counted?.isExceeded) return refuseSealed(received, "rate-limited", outer, terms, { headers: limit })
  const { answer: given, repeated } = await runOnce(received, inner, principal, terms, () =>
    handle(next, withoutKey(inner, principal), details, terms, route.fields?.reply),
  )
  // inside, and not in what is kept to be repeated: it is for whoever sent this request alone
  const answer = withHeaders(given, limit)
  const { status } = answer.message
  void report(
    terms.onEvent,
    repeated
      ? { type: "repeated", requestId, signer }
      : { type: "answered", level, requestId, signer, principal: principal?.id, status },
  )
  // one that was kept may be of a time with another policy
  return replyFields && !repeated && isDocumentMessage(answer.message)
    ? answerDocument(await sealDocument(received, answer.message, replyFields), answer, terms)
    : sealAnswer(received, answer, inner.method, terms)
}
