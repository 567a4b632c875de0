/**
 * Refusals as problem details (RFC 9457). docs/protocol.md §8: what is refused before a message is authentic is answered unsealed,
 * with the same bytes for every cause of one status; what is refused after it is a sealed reply.
 *
 * @module
 */

import { decodeUtf8, encodeAscii } from "../base/text.ts"
import type { HeaderPair, ResponseMessage } from "./message.ts"
import { ownAnswer, type OuterResponse } from "./outer-response.ts"

/** `Content-Type` of a problem. */
export const PROBLEM_TYPE = "application/problem+json"

/** The name of a sealed refusal: `urn:sealwire:<name>`. */
export type ProblemName =
  "stale" | "replayed" | "mismatch" | "fields" | "unauthorized" | "forbidden" | "rate-limited"

/** Their statuses. */
const SEALED: Readonly<Record<ProblemName, number>> = {
  stale: 400,
  replayed: 409,
  mismatch: 400,
  fields: 400,
  unauthorized: 401,
  forbidden: 403,
  "rate-limited": 429,
}

/** Their titles, apart: who reads a problem does not need them. */
const TITLES: Readonly<Record<ProblemName, string>> = {
  stale: "The message is too old, or from the future",
  replayed: "The message was received before",
  mismatch: "The message is for another method or path",
  fields: "The fields are not sealed as this route wants them",
  unauthorized: "Authentication is required",
  forbidden: "Not allowed",
  "rate-limited": "Too many requests",
}

const URN = "urn:sealwire:"

/** The status of an unsealed refusal. */
export type RefusalStatus = 400 | 401 | 403 | 405 | 413 | 415 | 429 | 503

/** Their titles: each status has one body. */
const UNSEALED: Readonly<Record<RefusalStatus, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  503: "Service Unavailable",
}

function problem(status: number, headers: readonly HeaderPair[], members: object): ResponseMessage {
  const body = encodeAscii(JSON.stringify({ ...members, status }))
  return { status, headers: [["content-type", PROBLEM_TYPE], ...headers], body }
}

/** A sealed refusal; `members` are further members of the problem, such as `now`. */
export function sealedProblem(
  name: ProblemName,
  members: Readonly<Record<string, number>> = {},
  headers: readonly HeaderPair[] = [],
): ResponseMessage {
  return problem(SEALED[name], headers, { type: `${URN}${name}`, title: TITLES[name], ...members })
}

/** A sealed problem that only its status tells (RFC 9457 §4.2.1). */
export function plainProblem(status: number, title: string): ResponseMessage {
  return problem(status, [], { type: "about:blank", title })
}

function unsealed(status: RefusalStatus, type: string, more: readonly HeaderPair[]): OuterResponse {
  const text = JSON.stringify({ type, title: UNSEALED[status], status })
  return ownAnswer(text, [["content-type", PROBLEM_TYPE], ...more], status)
}

/** An unsealed refusal. 401 says that the server does not know the session. */
export function refusal(
  status: RefusalStatus,
  retryAfterSeconds?: number,
  more: readonly HeaderPair[] = [],
): OuterResponse {
  const type = status === 401 ? `${URN}no-session` : "about:blank"
  if (retryAfterSeconds === undefined) return unsealed(status, type, more)
  return unsealed(status, type, [...more, ["retry-after", String(retryAfterSeconds)]])
}

/** Refuses an open request that has no principal, without telling why. Not a session's 401: a new one would not help. */
export function openUnauthorized(): OuterResponse {
  return unsealed(401, "about:blank", [["www-authenticate", "Bearer"]])
}

/** The name of a sealed refusal, and its members; undefined where a response is none: a name counts with its status only. */
export function readProblem({
  status,
  headers,
  body,
}: ResponseMessage):
  { readonly name: ProblemName; readonly members: Readonly<Record<string, unknown>> } | undefined {
  if (!headers.some(([name, value]) => name === "content-type" && value === PROBLEM_TYPE)) return undefined
  try {
    const members = JSON.parse(decodeUtf8(body) ?? "") as Record<string, unknown>
    const { type } = members
    const name = typeof type === "string" && type.startsWith(URN) ? type.slice(URN.length) : ""
    if (!Object.hasOwn(SEALED, name) || SEALED[name as ProblemName] !== status) return undefined
    return { name: name as ProblemName, members }
  } catch {
    return undefined
  }
}
