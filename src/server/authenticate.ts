/**
 * Authenticating a request: one principal for the handler, or a refusal that does not tell the peer why.
 *
 * @module
 */

import type { ApiKeys } from "../api-keys/api-keys.ts"
import { SealwireError } from "../base/errors.ts"
import { assertFunction, assertOptions } from "../base/options.ts"
import { describe } from "../base/text.ts"
import type { SignerPolicy } from "../envelope/signer.ts"
import type {
  AuthenticateOptions,
  AuthenticateToken,
  AuthenticationDetails,
  AuthenticationFailure,
  EnrolledSigner,
  Principal,
} from "./principal.ts"
import type { Route } from "./routes.ts"

/** The outcome for one request. */
export type Authentication =
  | { readonly refused: undefined; readonly principal: Principal | undefined }
  | { readonly refused: "unauthorized" | "forbidden"; readonly reason: AuthenticationFailure }

/** Where nothing authenticates. */
export const NOT_ASKED: Authentication = { refused: undefined, principal: undefined }

/** Authenticates a request on its route. */
export type Authenticate = (
  request: Request,
  details: AuthenticationDetails,
  route: Route,
) => Promise<Authentication>

/** Where credentials stand (RFC 6750 §2.1). */
const HEADER = "authorization"
const BEARER = /^Bearer +([^\s,]+)$/i
const OPTIONS = ["apiKeys", "signingKeys", "token"]

/** What a credential proves, or why it does not; undefined where there is none. */
type Proof = Principal | AuthenticationFailure | undefined

const refuse = (refused: "unauthorized" | "forbidden", reason: AuthenticationFailure): Authentication => ({
  refused,
  reason,
})

type Enrolled = NonNullable<AuthenticateOptions["signingKeys"]>

async function findEnrolled(enrolled: Enrolled, kid: string): Promise<EnrolledSigner | undefined> {
  try {
    return await enrolled.find(kid)
  } catch (cause) {
    if (cause instanceof SealwireError) throw cause
    throw new SealwireError("ERR_KEY_UNAVAILABLE", "the signing keys could not be looked up", { cause })
  }
}

/** Has signatures of enrolled keys known as well, unless certain signers are required. */
export function withEnrolled(policy: SignerPolicy, enrolled: Enrolled | undefined): SignerPolicy {
  if (!enrolled || policy.signatureRequired) return policy
  return {
    ...policy,
    findSigner: async (kid) => (await policy.findSigner(kid)) ?? (await findEnrolled(enrolled, kid))?.key,
  }
}

async function signerOf(
  { signer: kid }: AuthenticationDetails,
  { signingKeys }: AuthenticateOptions,
): Promise<Proof> {
  if (kid === undefined || !signingKeys) return undefined
  const enrolled = await findEnrolled(signingKeys, kid)
  return enrolled ? { id: enrolled.principal, kind: "signing-key", scopes: enrolled.scopes } : "signer"
}

function hasKeyInQuery({ url }: Request, { prefix }: Pick<ApiKeys, "prefix">): boolean {
  return [...new URL(url).searchParams.values()].some((value) => value.startsWith(`${prefix}_`))
}

function readFound(found: unknown): Principal {
  const { id, scopes } = (found ?? {}) as Partial<Record<keyof Principal, unknown>>
  const isPrincipal = typeof id === "string" && id !== "" && Array.isArray(scopes)
  if (isPrincipal && scopes.every((scope): scope is string => typeof scope === "string")) {
    return { id, kind: "token", scopes }
  }
  throw new TypeError(
    `options.authenticate.token must give { id, scopes } or undefined, not ${describe(found)}`,
  )
}

async function askHook(
  token: AuthenticateToken,
  { url, method, headers, signal }: Request,
  details: AuthenticationDetails,
): Promise<Principal | undefined> {
  let found: unknown
  try {
    // without its body, which is the handler's to read
    found = await token(new Request(url, { method, headers, signal }), details)
  } catch (error) {
    if (error instanceof SealwireError) throw error
    return undefined
  }
  return found === undefined ? undefined : readFound(found)
}

/** What stands in the headers, or ought not to stand in the query. */
async function bearerOf(
  request: Request,
  details: AuthenticationDetails,
  isSigned: boolean,
  { apiKeys, token }: AuthenticateOptions,
): Promise<Proof> {
  if (apiKeys && hasKeyInQuery(request, apiKeys)) return "in-query"
  const credentials = request.headers.get(HEADER)
  const [, bearer] = BEARER.exec(credentials ?? "") ?? []
  if (apiKeys && bearer?.startsWith(`${apiKeys.prefix}_`)) {
    const verdict = await apiKeys.verify(bearer)
    if (!verdict.valid) return verdict.reason
    return { id: verdict.principal, kind: "api-key", scopes: verdict.scopes }
  }
  if (credentials === null && isSigned) return undefined
  const found = token && (await askHook(token, request, details))
  if (found ?? credentials === null) return found
  return token ? "token" : "malformed"
}

/** One principal out of what was proven, where that suffices for the route. */
function judge(signer: Proof, bearer: Proof, { level, scopes }: Route): Authentication {
  // a credential that is no good is refused everywhere: its owner must learn of it
  if (typeof bearer === "string") return refuse("unauthorized", bearer)
  const isDemanded = level === "high" || scopes.length > 0
  if (typeof signer === "string") {
    if (isDemanded && !bearer) return refuse("forbidden", signer)
  } else if (signer && bearer && signer.id !== bearer.id) return refuse("unauthorized", "ambiguous")
  const principal = typeof signer === "object" ? signer : bearer
  if (!principal) return isDemanded ? refuse("unauthorized", "missing") : { refused: undefined, principal }
  if (scopes.every((scope) => principal.scopes.includes(scope))) return { refused: undefined, principal }
  // whoever tries a key that was found somewhere must not learn that it works elsewhere
  return refuse(principal.kind === "api-key" ? "unauthorized" : "forbidden", "scope")
}

/**
 * Reads the option `authenticate`.
 *
 * @throws `TypeError` naming what is wrong.
 */
export function readAuthenticate(options: AuthenticateOptions): Authenticate {
  assertOptions(options, "options.authenticate", OPTIONS)
  const { apiKeys, signingKeys, token } = options
  if (!apiKeys && !signingKeys && !token) {
    throw new TypeError(`options.authenticate must have one of ${OPTIONS.join(", ")}`)
  }
  if (apiKeys) assertFunction((apiKeys as Partial<ApiKeys>).verify, "options.authenticate.apiKeys.verify")
  if (signingKeys) assertFunction(signingKeys.find, "options.authenticate.signingKeys.find")
  if (token !== undefined) assertFunction(token, "options.authenticate.token")
  const methods = {
    ...(apiKeys && { apiKeys }),
    ...(signingKeys && { signingKeys }),
    ...(token && { token }),
  }
  return async (request, details, route) => {
    const signer = await signerOf(details, methods)
    const bearer = await bearerOf(request, details, typeof signer === "object", methods)
    return judge(signer, bearer, route)
  }
}

/** Takes an API key off a request, so that a handler that logs its headers does not log it. */
export function withoutKey(request: Request, principal: Principal | undefined): Request {
  if (principal?.kind === "api-key") request.headers.delete(HEADER)
  return request
}
