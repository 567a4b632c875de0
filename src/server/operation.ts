/**
 * Carrying out one admitted request: once for each idempotency key, where the endpoint has a store for them. docs/protocol.md §8.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { concatPrefixed } from "../base/bytes.ts"
import { encodeAscii } from "../base/text.ts"
import type { Authentic } from "../envelope/read.ts"
import type { Received } from "../envelope/receive.ts"
import { parseResponse, type ResponseMessage, serializeResponse } from "../http/message.ts"
import { plainProblem } from "../http/problem.ts"
import { IDEMPOTENCY_HEADER } from "../http/wire.ts"
import type { IdempotencyStore } from "./idempotency.ts"
import type { Principal } from "./principal.ts"
import type { Answer } from "./sealed-response.ts"

/** Where operations are remembered, and for how long. */
export interface Idempotency {
  readonly store: IdempotencyStore
  readonly keepSeconds: number
}

const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"]
const LONGEST_KEY = 255

const whole = (message: ResponseMessage): Answer => ({ message, rest: undefined, cookies: [] })

/** One principal's key: two principals may choose the same. */
async function recordKeyOf(
  { selected, signer }: Authentic,
  principal: Principal | undefined,
  key: string,
): Promise<string> {
  const owner = principal
    ? [encodeAscii(principal.id), encodeAscii("principal")]
    : [encodeAscii(signer ?? "")]
  const parts = [...owner, encodeAscii(key)]
  return encodeBase64url(await selected.backend.sha256(concatPrefixed(encodeAscii("operation"), parts)))
}

/** The answer of an operation that was begun before. */
function firstAnswer(
  state: "running" | "done" | "conflict",
  answer: Uint8Array | undefined,
): ResponseMessage {
  if (state === "running") return plainProblem(409, "This operation is under way")
  if (state === "conflict") return plainProblem(422, "This idempotency key was used for another message")
  const kept = answer && parseResponse(new Uint8Array(answer))
  return kept ?? plainProblem(409, "This operation was carried out; its answer was not kept")
}

/** What came of a request. */
export interface Outcome {
  readonly answer: Answer
  /** Whether it had been carried out before, and was not again. */
  readonly repeated: boolean
}

/** Runs `carryOut` at most once for each principal and idempotency key. */
export async function runOnce(
  { authentic, nowMs }: Received,
  request: Request,
  principal: Principal | undefined,
  idempotency: Idempotency | undefined,
  carryOut: () => Promise<Answer>,
): Promise<Outcome> {
  const key = request.headers.get(IDEMPOTENCY_HEADER)
  if (!idempotency || key === null || SAFE_METHODS.includes(request.method)) {
    return { answer: await carryOut(), repeated: false }
  }
  if (key.length > LONGEST_KEY) {
    return { answer: whole(plainProblem(400, "The idempotency key is too long")), repeated: false }
  }
  const { store, keepSeconds } = idempotency
  const recordKey = await recordKeyOf(authentic, principal, key)
  const fingerprint = encodeBase64url(authentic.messageDigest)
  const record = await store.begin(recordKey, fingerprint, nowMs + keepSeconds * 1000)
  if (record.state !== "new") {
    const answer = record.state === "done" ? record.answer : undefined
    return { answer: whole(firstAnswer(record.state, answer)), repeated: true }
  }
  const answer = await carryOut()
  const kept = answer.rest ? undefined : serializeResponse(answer.message)
  // carried out is carried out: without a record it stays "under way", and is not carried out again
  await store.finish(recordKey, kept).catch(() => undefined)
  return { answer, repeated: false }
}
