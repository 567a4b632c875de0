/**
 * Carrying out one admitted request: once for each idempotency key, where the endpoint has a store for them. docs/protocol.md §8.
 *
 * @module
 */

import { encodeBase64url } from "#base64url"

import { type Bytes, concatPrefixed } from "../base/bytes.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe, encodeAscii } from "../base/text.ts"
import { readRecordKeys } from "../crypto/record-cipher.ts"
import type { Authentic } from "../envelope/read.ts"
import type { Received } from "../envelope/receive.ts"
import { parseResponse, type ResponseMessage, serializeResponse } from "../http/message.ts"
import { plainProblem } from "../http/problem.ts"
import { IDEMPOTENCY_HEADER } from "../http/wire.ts"
import { type Idempotency, Operation, type Standing } from "../idempotency/operation.ts"
import type { IdempotencyStore } from "../idempotency/store.ts"
import type { Principal } from "./principal.ts"
import type { Answer } from "./sealed-response.ts"

/** How an endpoint keeps operations from being carried out twice. */
export interface IdempotencyOptions {
  /** Remembers them: one that all processes share, such as `postgresIdempotencyStore`, or `memoryIdempotencyStore()` for one process. */
  readonly store: IdempotencyStore
  /** How long operations are remembered, in seconds: 86,400 to 31,536,000. Default: 86,400. */
  readonly keepSeconds?: number
  /**
   * For a shared store: keys of 32 random bytes, from a secret that all processes have and the store has not. Records are encrypted
   * under the first, and read under any. To rotate, put the new one second everywhere, then first; drop the old one after `keepSeconds`.
   */
  readonly recordKeys?: readonly Uint8Array[]
  /** Longest wait for the answer of an operation that is under way, in milliseconds: 0 to 60,000. Then 409. Default: 2,000. */
  readonly waitMs?: number
  /** Longest answer that is kept, in bytes, head and body: 0 to 16,000,000. Default: 65,536. */
  readonly maxAnswerBytes?: number
}

const OPTIONS = ["store", "keepSeconds", "recordKeys", "waitMs", "maxAnswerBytes"]
const OPTION = "options.idempotency"

/** A day, as §8.3 demands of a server that says it enforces idempotency keys. */
const LEAST_KEEP_SECONDS = 86_400

function readKeys({ store, recordKeys }: IdempotencyOptions): readonly Bytes[] | undefined {
  const name = `${OPTION}.recordKeys`
  if (store.inProcess !== true) {
    return readRecordKeys(recordKeys, name, "this idempotency store is shared, and must not read answers")
  }
  if (recordKeys === undefined) return undefined
  throw new TypeError(`${name} are for an idempotency store that is shared: this one stays in the process`)
}

/**
 * Reads the option `idempotency`.
 *
 * @throws `TypeError` or `RangeError` naming the option.
 */
export function readIdempotency(options: IdempotencyOptions | undefined): Idempotency | undefined {
  if (options === undefined) return undefined
  assertOptions(options, OPTION, OPTIONS)
  const { store, keepSeconds = LEAST_KEEP_SECONDS, waitMs = 2000, maxAnswerBytes = 65_536 } = options
  const { begin, find, finish } = (store as Partial<IdempotencyStore> | undefined) ?? {}
  if (![begin, find, finish].every((method) => typeof method === "function")) {
    throw new TypeError(
      `${OPTION}.store must be a store such as memoryIdempotencyStore(), not ${describe(store)}`,
    )
  }
  assertInteger(keepSeconds, `${OPTION}.keepSeconds`, LEAST_KEEP_SECONDS, 31_536_000)
  assertInteger(waitMs, `${OPTION}.waitMs`, 0, 60_000)
  assertInteger(maxAnswerBytes, `${OPTION}.maxAnswerBytes`, 0, 16_000_000)
  return { store, keepSeconds, waitMs, maxAnswerBytes, recordKeys: readKeys(options) }
}

const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"]
const LONGEST_KEY = 255

const whole = (message: ResponseMessage): Answer => ({ message, rest: undefined, cookies: [] })

/** Of this origin and this principal: two principals may choose the same key, and two services may share a store. */
async function operationId(
  { selected, signer }: Authentic,
  origin: string,
  principal: Principal | undefined,
  key: string,
): Promise<string> {
  const owner = principal ? ["principal", principal.id] : ["signer", signer ?? ""]
  const parts = [origin, ...owner, key].map(encodeAscii)
  return encodeBase64url(await selected.backend.sha256(concatPrefixed(encodeAscii("operation"), parts)))
}

const REFUSED = {
  begun: "This operation is under way, or was cut off",
  unkept: "This operation was carried out; its answer was not kept",
  unreadable: "This operation was begun; what became of it cannot be read",
} as const

/** The answer of an operation that was begun before. */
function firstAnswer(standing: Exclude<Standing, "new">): ResponseMessage {
  if (standing === "conflict") return plainProblem(422, "This idempotency key was used for another message")
  if (standing === "unreadable") return plainProblem(409, REFUSED.unreadable)
  const { state, answer } = standing
  if (state !== "answered") return plainProblem(409, REFUSED[state])
  return parseResponse(answer) ?? plainProblem(409, REFUSED.unreadable)
}

/** What came of a request. */
export interface Outcome {
  readonly answer: Answer
  /** Whether it had been carried out before, and was not again. */
  readonly repeated: boolean
}

/** What a request for an operation is judged by. */
export interface Asking {
  readonly origin: string
  readonly idempotency: Idempotency | undefined
}

/** Runs `carryOut` at most once for each principal and idempotency key. */
export async function runOnce(
  { authentic }: Received,
  request: Request,
  principal: Principal | undefined,
  { origin, idempotency }: Asking,
  carryOut: () => Promise<Answer>,
): Promise<Outcome> {
  const key = request.headers.get(IDEMPOTENCY_HEADER)
  if (!idempotency || key === null || SAFE_METHODS.includes(request.method)) {
    return { answer: await carryOut(), repeated: false }
  }
  if (key.length > LONGEST_KEY) {
    return { answer: whole(plainProblem(400, "The idempotency key is too long")), repeated: false }
  }
  const id = await operationId(authentic, origin, principal, key)
  const operation = new Operation(idempotency, authentic.selected.backend, id, authentic.messageDigest)
  const standing = await operation.begin(request.signal)
  if (standing !== "new") return { answer: whole(firstAnswer(standing)), repeated: true }
  const answer = await carryOut()
  await operation.finish(answer.rest ? undefined : serializeResponse(answer.message))
  return { answer, repeated: false }
}
