/**
 * Requests whose bodies are documents with sealed fields, as a client sends them. docs/protocol.md §11.1.
 *
 * @module
 */

import { describe, encodeAscii } from "../base/text.ts"
import { readReplyIn } from "../envelope/reply.ts"
import type { FieldsCodec } from "../fields/codec.ts"
import { type FieldCodecs, type FieldPolicies, readFieldPolicies } from "../fields/field-policies.ts"
import type { Policy } from "../fields/policy.ts"
import { joinMessage, parseRequest, parseResponse, requestHead } from "./message.ts"
import type { PartedRequest, SealedFields } from "./parted-request.ts"
import { readRouteTable, type RouteTable } from "./route-table.ts"
import { httpContext } from "./wire.ts"

/**
 * Routes and their policies: a path, or a method and a path, such as `"POST /cards"`, `"/orders/:id"`, `"/archive/**"`. They mean what
 * they mean to an endpoint, which takes more kinds of patterns.
 */
export type FieldRoutes = Readonly<Record<string, Policy | FieldPolicies>>

/** Opens replies that are documents. */
function replyOpener(codec: FieldsCodec | undefined): PartedRequest["openReply"] {
  return async (end, text) => {
    // who asked for replies that are sealed as a whole takes no others
    if (!codec) return undefined
    const arrived = codec.read(text, encodeAscii(end.envelope))
    const { message } = await readReplyIn(end, arrived.envelope, arrived.context)
    const { head, body } = arrived.open(message)
    return parseResponse(joinMessage(head, body))
  }
}

function partRequests(codecsOf: RouteTable<FieldCodecs>): SealedFields {
  return async (message, origin) => {
    const request = parseRequest(message)
    if (!request || request.body.length === 0) return undefined
    const codecs = codecsOf(request.method, request.path.split("?", 1)[0] ?? "")
    if (!codecs) return undefined
    const body = await codecs.request.apply(request.body)
    const parted = codecs.request.part(body, requestHead(request), encodeAscii(httpContext(origin)))
    return { ...parted, openReply: replyOpener(codecs.reply) }
  }
}

/**
 * Says which requests of a client travel as JSON documents with sealed fields, and by which policies. The clear rest of such a
 * document, and of the reply to it, is bound to what is sealed, and read by everyone on the way; method, path, query and headers are
 * sealed. All other requests, and those without a body, are sealed as a whole.
 *
 * A request of such a route is not sent unless its body is a JSON object that fits the policy: `fetch` throws the `TypeError` or
 * `RangeError` of {@link Policy.protect}.
 *
 * @param routes - A policy is for requests and replies, save that replies may lack what it requires; `{ request, reply }` has one
 *   for each, and without `reply`, replies are sealed as a whole.
 * @throws `TypeError` naming the route.
 * @example
 * ```ts
 * import { createClient } from "sealwire/client"
 * import { createPolicy, sealedFields } from "sealwire/fields"
 *
 * const cards = createPolicy({ rules: { "/card/number": "seal", "/card/cvc": "seal" } })
 * const api = createClient({
 *   baseUrl: "https://api.example.com",
 *   pins: ["4hPqeTxwvHqz1pYV6hT0JcGLNvVYwkGrUlhO5wYzUZk", "C6r0hJ0y3kQO0y7q0TFyS1yyJ8GHxJ2wr8GdqxqgzWk"],
 *   fields: sealedFields({ "POST /cards": cards }),
 * })
 * ```
 */
export function sealedFields(routes: FieldRoutes): SealedFields {
  if (typeof routes !== "object" || (routes as unknown) === null || Object.keys(routes).length === 0) {
    throw new TypeError(`routes must name at least one route and its policy, not ${describe(routes)}`)
  }
  return partRequests(
    readRouteTable(routes, (policies, route) => readFieldPolicies(policies, `routes: "${route}"`)),
  )
}
