/**
 * Serving sessions: their offers, their openings and their ends. docs/protocol.md §6.
 *
 * @module
 */

import { assertFunction } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { maxEnvelopeCharacters } from "../envelope/layout.ts"
import type { Receiving } from "../envelope/receive.ts"
import { type OuterResponse, ownAnswer } from "../http/outer-response.ts"
import { plainProblem } from "../http/problem.ts"
import { ENVELOPE_TYPE, isSessionsPath, SESSIONS_PATH } from "../http/wire.ts"
import { CONFIRMATION } from "../session/handshake.ts"
import { noSession } from "../session/manager.ts"
import { isSessionId } from "../session/offer.ts"
import type { SessionScope } from "../session/receiving.ts"
import type { Sessions } from "../session/sessions.ts"
import { envelopeOf, readBody } from "./envelope-of.ts"
import { report } from "./events.ts"
import { admit, exchange, type Exchanging, type Handler, refuseSealed } from "./exchange.ts"
import type { OuterRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"

/** Answers a request for a session; undefined for any other. */
export type ServeSessions = (
  request: OuterRequest,
  terms: Exchanging,
) => Promise<OuterResponse | Response> | undefined

/** A hello has 52 characters. */
const MAX_HELLO_BYTES = 64
/** An opening's message has 32. */
const MAX_OPENING_CHARACTERS: number = maxEnvelopeCharacters(64)
const RETRY_AFTER_SECONDS = 10

type AdmitHandshake = ((request: Request) => boolean | Promise<boolean>) | undefined

const answer = (text: string): OuterResponse => ownAnswer(text, [["content-type", ENVELOPE_TYPE]])

/** The id in `…/sessions/<sid>`. */
function idIn(pathname: string): string {
  const id = pathname.slice(SESSIONS_PATH.length + 1)
  // whatever it is, it is not the id of a session here
  if (!isSessionId(id)) throw noSession()
  return id
}

/** What serving sessions takes. */
interface Serving {
  readonly sessions: Sessions
  readonly scope: SessionScope
  readonly receiving: Receiving
  readonly admitHandshake: AdmitHandshake
}

async function assertAdmitted(request: OuterRequest, { admitHandshake }: Serving): Promise<void> {
  const answered: unknown = admitHandshake === undefined || (await admitHandshake(request.toRequest()))
  if (answered === true) return
  if (answered === false) throw new Refusal(429, RETRY_AFTER_SECONDS)
  throw new TypeError(`options.admitHandshake must give true or false, not ${describe(answered)}`)
}

/** Steps 1 and 2. */
async function offer(request: OuterRequest, serving: Serving): Promise<OuterResponse> {
  await assertAdmitted(request, serving)
  if (request.headers.has("content-encoding")) throw new Refusal(415)
  const hello = await readBody(request, MAX_HELLO_BYTES)
  const { manager, origin } = serving.scope
  return answer(await manager.offer(hello ?? "", origin))
}

/** Step 3. */
async function open(
  request: OuterRequest,
  id: string,
  serving: Serving,
  terms: Exchanging,
): Promise<OuterResponse> {
  await assertAdmitted(request, serving)
  const envelope = await envelopeOf(request, MAX_OPENING_CHARACTERS)
  const { manager, origin, gate } = serving.scope
  const { replay, findSigner, signatureRequired } = serving.receiving
  const reading = { origin, replay, findSigner, signatureRequired, ...(gate && { gate }) }
  const received = await manager.receiveOpening(id, envelope, reading)
  const opened = await admit(received)
  if (typeof opened === "string") return refuseSealed(received, opened, request, terms)
  void report(terms.onEvent, { type: "session-opened", session: id, signer: opened.signer })
  return answer((await received.reply(CONFIRMATION)).envelope)
}

/** A session ends by its own message only. */
function logout(id: string, { sessions }: Serving, terms: Exchanging): Handler {
  return async (_, { session, signer }) => {
    if (session !== id) {
      const { status, headers, body } = plainProblem(403, "A session ends by a message in it")
      return new Response(body, { status, headers: Object.fromEntries(headers) })
    }
    await sessions.end(id)
    void report(terms.onEvent, { type: "session-ended", session: id, signer })
    return new Response(null, { status: 204 })
  }
}

async function serve(
  request: OuterRequest,
  path: string,
  serving: Serving,
  terms: Exchanging,
): Promise<OuterResponse | Response> {
  const { method } = request
  if (path === SESSIONS_PATH && method === "POST") return offer(request, serving)
  if (path === SESSIONS_PATH || !["POST", "DELETE"].includes(method)) throw new Refusal(405)
  const id = idIn(path)
  if (method === "POST") return open(request, id, serving, terms)
  const ownTerms = {
    ...terms,
    idempotency: undefined,
    authenticate: undefined,
    // whoever has used up his requests must still be able to leave
    chargePrincipal: undefined,
  }
  return exchange(
    request,
    { level: "high", scopes: [], fields: undefined },
    logout(id, serving, terms),
    ownTerms,
  )
}

/**
 * Reads the options `sessions` and `admitHandshake`.
 *
 * @throws `TypeError` naming the option.
 */
export function sessionServer(serving: Serving): ServeSessions {
  if (serving.admitHandshake !== undefined) assertFunction(serving.admitHandshake, "options.admitHandshake")
  return (request, terms) => {
    const { pathname } = request.url
    return isSessionsPath(pathname) ? serve(request, pathname, serving, terms) : undefined
  }
}
