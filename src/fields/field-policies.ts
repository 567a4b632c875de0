/**
 * The policies of one exchange over HTTP: for the request, and for the reply. docs/protocol.md §11.1.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import { codecOf, type FieldsCodec } from "./codec.ts"
import type { Policy } from "./policy.ts"

/** What happens to the fields of requests, and of the replies to them. */
export interface FieldPolicies {
  readonly request: Policy
  /** Default: none, and replies are sealed as a whole. */
  readonly reply?: Policy
}

/** The same, ready to work with. */
export interface FieldCodecs {
  readonly request: FieldsCodec
  readonly reply: FieldsCodec | undefined
}

/**
 * Reads an option that is a policy for both ways, or one for each.
 *
 * @throws `TypeError` naming the option.
 */
export function readFieldPolicies(policies: Policy | FieldPolicies, name: string): FieldCodecs {
  if (typeof policies !== "object" || (policies as unknown) === null) {
    throw new TypeError(`${name} must be a policy, or { request, reply }, not ${describe(policies)}`)
  }
  if (!("request" in policies)) {
    const codec = codecOf(policies, name)
    // a reply need not repeat what the request must have
    return { request: codec, reply: codec.withoutRequired() }
  }
  assertOptions(policies, name, ["request", "reply"])
  const { request, reply } = policies
  return {
    request: codecOf(request, `${name}.request`),
    reply: reply && codecOf(reply, `${name}.reply`),
  }
}
