/**
 * Sealed exchanges with somebody on the way: the library's own client seals the request and judges the answer, and a probe decides
 * what becomes of it between the two.
 *
 * @module
 */

import { type ClientOptions, createClient, SealwireError } from "../../client.ts"
import type { TrustedDirectory } from "./probe.ts"
import { type CheckedRoute, DIRECTORY_PATH, type Target } from "./target.ts"
import { MAX_ANSWER_BYTES, type Reply, TIMEOUT_MS, type WireRequest } from "./wire.ts"

/** How an exchange ended, as the client that sealed it sees it. */
export type Outcome =
  /** By a sealed answer: its inner status. */
  | { readonly kind: "answered"; readonly status: number; readonly reply: Reply }
  /** By a sealed refusal. */
  | { readonly kind: "stale" | "replayed" | "mismatch"; readonly reply: Reply }
  /** By what is not sealed, or not for this request. */
  | { readonly kind: "unsealed"; readonly reply: Reply }

/** What becomes of a sealed request on its way. */
export type Deliver = (request: WireRequest) => Promise<Reply>

/** A request to seal. */
export interface Sealing extends CheckedRoute {
  /** Unix milliseconds, as the sender has it. */
  readonly clock?: () => number
}

const HAS_NO_BODY = [204, 205, 304]

const responseOf = ({ status, headers, body }: Reply): Response =>
  new Response(HAS_NO_BODY.includes(status) ? null : new Uint8Array(body), { status, headers })

function wireRequestOf(url: string, { method = "GET", headers, body }: RequestInit): WireRequest {
  const { pathname, search } = new URL(url)
  const sent = { method, path: pathname + search, headers: Object.fromEntries(new Headers(headers)) }
  return typeof body === "string" ? { ...sent, body } : sent
}

const clientOf = (target: Target, more: Omit<ClientOptions, "baseUrl">) =>
  createClient({
    baseUrl: target.url.origin,
    retry: { attempts: 1 },
    timeoutMs: 2 * TIMEOUT_MS,
    maxResponseBytes: MAX_ANSWER_BYTES,
    ...more,
  })

const directoryResponse = (text: string): Response =>
  new Response(text, { headers: { "content-type": "application/jose" } })

/**
 * Reads a key directory as clients do who pin `identity`.
 *
 * @throws `SealwireError` `ERR_KEYS_UNTRUSTED`, saying what is wrong with it, or `ERR_KEY`.
 */
export async function readDirectory(
  target: Target,
  text: string,
  identity: string,
  lowestSeq: number,
): Promise<TrustedDirectory> {
  let seq = 0
  const client = clientOf(target, {
    pins: [identity],
    fetch: () => Promise.resolve(directoryResponse(text)),
    seqStore: {
      highestSeq: () => Promise.resolve(lowestSeq),
      raise: (_, raised) => Promise.resolve(void (seq = raised)),
    },
  })
  await client.keys()
  return { text, identity, seq }
}

const PROBLEMS: Readonly<Record<string, "stale" | "replayed" | "mismatch">> = {
  ERR_STALE: "stale",
  ERR_REPLAYED: "replayed",
  ERR_MISMATCH: "mismatch",
}

/** What happened on the way. */
interface Passed {
  reply?: Promise<Reply>
  isStale?: true
}

/** Seals a request, lets `deliver` bring it to the server, and says what the client makes of the reply. */
export async function exchange(
  target: Target,
  directory: TrustedDirectory,
  { method, path, clock }: Sealing,
  deliver: Deliver,
): Promise<Outcome> {
  const passed: Passed = {}
  const client = clientOf(target, {
    pins: [directory.identity],
    async fetch(url, init) {
      if (new URL(url).pathname === DIRECTORY_PATH) return directoryResponse(directory.text)
      // the client comes again once with the server's time: that is no part of the plan
      if (passed.reply) throw new Error("one request only")
      passed.reply = deliver(wireRequestOf(url, init))
      return responseOf(await passed.reply)
    },
    onEvent(event) {
      if (event.type === "retry" && event.reason === "stale") passed.isStale = true
    },
    ...(clock && { clock }),
  })
  const answer = await client.fetch(path, { method }).catch((error: unknown) => ({ error }))
  if (!passed.reply) throw new Error("nothing was sent", { cause: answer })
  // what was thrown on the way is thrown here
  const reply = await passed.reply
  if (answer instanceof Response) {
    await answer.body?.cancel()
    return { kind: "answered", status: answer.status, reply }
  }
  if (passed.isStale) return { kind: "stale", reply }
  if (!(answer.error instanceof SealwireError)) throw answer.error
  return { kind: PROBLEMS[answer.error.code] ?? "unsealed", reply }
}
