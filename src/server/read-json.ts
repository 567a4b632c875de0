/**
 * A handler's JSON input, read strictly. What was opened is trusted no more than any other input: the seal says who sent it at most,
 * not that it makes sense.
 *
 * @module
 */

import { isBytes } from "../base/bytes.ts"
import { parseJson } from "../base/json.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { decodeUtf8, describe } from "../base/text.ts"
import { PROBLEM_TYPE } from "../http/problem.ts"
import { mediaType } from "../http/wire.ts"
import { readBody } from "./envelope-of.ts"
import { measureJson } from "./json-shape.ts"
import { outerRequest } from "./outer-request.ts"
import { Refusal } from "./refusal-error.ts"

/** One thing that a schema found wrong. */
export interface InputIssue {
  readonly message: string
  /** Where: member names and indexes from the root. */
  readonly path: readonly string[]
}

/** One thing that a schema found, as Standard Schema has it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema says of a value, as Standard Schema has it. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** What is used of a Standard Schema: zod, valibot, ArkType and others have it. */
export interface InputSchema<Output> {
  readonly "~standard": {
    readonly version: 1
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>
  }
}

/** A request whose body a parser has read as bytes, such as Express's behind `express.raw()`, or Fastify's with `parseAs: "buffer"`. */
export interface BufferedRequest {
  readonly headers: { readonly "content-type"?: string | undefined }
  /** The bytes; undefined where no body came, or none that the parser takes. */
  readonly body?: unknown
}

/** Options of {@link readJson}. */
export interface ReadJsonOptions<Output = unknown> {
  /** Largest body in bytes: 1 to 16,777,216. Default: 65,536. */
  readonly maxBytes?: number
  /** Most arrays and objects inside each other: 1 to 256. Default: 32. */
  readonly maxDepth?: number
  /** Most members and items altogether: 1 to 1,000,000. Default: 1,000. */
  readonly maxKeys?: number
  /** What the value must be. Default: any JSON. */
  readonly schema?: InputSchema<Output>
}

/** The value, or the answer to give instead: 400, 413, 415, or 422 with what the schema found. */
export type JsonInput<Output> =
  | { readonly value: Output; readonly refused?: undefined }
  | { readonly value?: undefined; readonly refused: Response }

const OPTIONS = ["maxBytes", "maxDepth", "maxKeys", "schema"]
const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json$/

function refused(status: number, title: string, issues?: readonly InputIssue[]): { refused: Response } {
  const body = JSON.stringify({ type: "about:blank", title, status, ...(issues && { issues }) })
  return { refused: new Response(body, { status, headers: { "content-type": PROBLEM_TYPE } }) }
}

const issueOf = ({ message, path = [] }: SchemaIssue): InputIssue => ({
  message,
  path: path.map((each) => String(typeof each === "object" ? each.key : each)),
})

/** Node's headers are plain members. */
const isWebRequest = (request: Request | BufferedRequest): request is Request =>
  typeof (request.headers as Partial<Headers>).get === "function"

const contentType = (request: Request | BufferedRequest): string =>
  mediaType(
    isWebRequest(request) ? request.headers.get("content-type") : (request.headers["content-type"] ?? null),
  )

function bufferedText({ body = new Uint8Array(0) }: BufferedRequest, maxBytes: number): string | undefined {
  if (!isBytes(body)) {
    throw new TypeError(
      `request.body must be bytes, as express.raw() reads them, or the request a Web one, not ${describe(body)}`,
    )
  }
  if (body.length > maxBytes) throw new Refusal(413)
  return decodeUtf8(new Uint8Array(body))
}

/** The body's text, or why there is none. */
async function textOf(
  request: Request | BufferedRequest,
  maxBytes: number,
): Promise<{ text: string } | { refused: Response }> {
  try {
    const text = isWebRequest(request)
      ? await readBody(outerRequest(request), maxBytes)
      : bufferedText(request, maxBytes)
    return text === undefined ? refused(400, "The body is not UTF-8") : { text }
  } catch (error) {
    if (error instanceof Refusal) return refused(413, "The body is too long")
    throw error
  }
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: parseJson(text) }
  } catch {
    return undefined
  }
}

/**
 * Reads a request's body as JSON: of a JSON type, strict UTF-8, within limits, without members of one name or such that reach a
 * prototype (`__proto__`), and of the shape that `schema` demands. Limits are counted before anything is built.
 *
 * Takes a Web request, and one of Express or Fastify whose body has been read as bytes: `readJson(req, …)` behind `express.raw()`.
 *
 * @throws `TypeError` or `RangeError` for a wrong option, and for a body that has been parsed as something else; never for what a peer
 * sent.
 * @example
 * ```ts
 * import { readJson } from "sealwire/server"
 * import { z } from "zod"
 *
 * const Transfer = z.strictObject({ to: z.string().max(34), cents: z.int().positive() })
 *
 * async function transfer(request: Request): Promise<Response> {
 *   const input = await readJson(request, { schema: Transfer })
 *   if (input.refused) return input.refused
 *   return Response.json({ booked: input.value.cents })
 * }
 * ```
 */
export async function readJson<Output = unknown>(
  request: Request | BufferedRequest,
  options: ReadJsonOptions<Output> = {},
): Promise<JsonInput<Output>> {
  assertOptions(options, "options", OPTIONS)
  const { maxBytes = 65_536, maxDepth = 32, maxKeys = 1000, schema } = options
  assertInteger(maxBytes, "options.maxBytes", 1, 16_777_216)
  assertInteger(maxDepth, "options.maxDepth", 1, 256)
  assertInteger(maxKeys, "options.maxKeys", 1, 1_000_000)
  if (schema !== undefined && typeof (schema as Partial<typeof schema>)["~standard"] !== "object") {
    throw new TypeError(`options.schema must be a Standard Schema, not ${describe(schema)}`)
  }
  if (!JSON_TYPE.test(contentType(request))) return refused(415, "The body must be JSON")
  const body = await textOf(request, maxBytes)
  if ("refused" in body) return body
  const shape = measureJson(body.text)
  if (shape.depth > maxDepth || shape.entries > maxKeys) return refused(413, "The body has too many parts")
  const parsed = parse(body.text)
  if (!parsed || shape.hasTwins(parsed.value)) return refused(400, "The body is not strict JSON")
  if (!schema) return { value: parsed.value as Output }
  const result = await schema["~standard"].validate(parsed.value)
  if (result.issues) return refused(422, "The body is not what is expected", result.issues.map(issueOf))
  return { value: result.value }
}
