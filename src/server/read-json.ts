/**
 * A handler's JSON input, read strictly. What was opened is trusted no more than any other input: the seal says who sent it at most,
 * not that it makes sense.
 *
 * @module
 */

import { parseJson } from "../base/json.ts"
import { assertInteger, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { PROBLEM_TYPE } from "../http/problem.ts"
import { mediaType } from "../http/wire.ts"
import { readBody } from "./envelope-of.ts"
import { measureJson } from "./json-shape.ts"
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

/** The body's text, or why there is none. */
async function textOf(request: Request, maxBytes: number): Promise<{ text: string } | { refused: Response }> {
  try {
    const text = await readBody(request, maxBytes)
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
 * @throws `TypeError` or `RangeError` for a wrong option, never for what a peer sent.
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
  request: Request,
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
  if (!JSON_TYPE.test(mediaType(request.headers.get("content-type")))) {
    return refused(415, "The body must be JSON")
  }
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
