/**
 * Rows on what pages of other sites may do: read (CORS), and send (CSRF). docs/guides/secure-server.md.
 *
 * @module
 */

import { attempt, wantsRefusal, withoutRoute } from "./attempt.ts"
import { busy, fail, notTested, pass, type Probe } from "./probe.ts"
import { type CheckedRoute, DIRECTORY_PATH, type Target } from "./target.ts"
import type { WireRequest } from "./wire.ts"

/** Nobody's, for ever (RFC 6761). */
const FOREIGN = "https://sealwire-check.invalid"
const CORS_ADVICE =
  "list origins exactly, in the option origins; no *, never null, and nothing in front that repeats what was asked"

/** A row that wants a page of `origin` to be allowed nothing. */
const closedTo = (name: string, origin: string, what: string, request: Omit<WireRequest, "body">): Probe => ({
  name,
  sends: [`${what}, origin: ${origin}`],
  advice: CORS_ADVICE,
  async run({ wire }) {
    const reply = await wire.send({ ...request, headers: { ...request.headers, origin } })
    const allowed = reply.headers.get("access-control-allow-origin")
    const received = `${reply.status}, access-control-allow-origin: ${allowed ?? "none"}`
    const isOpen = allowed === "*" || allowed === origin
    return busy(reply) ?? (isOpen ? fail(received) : pass(received))
  },
})

/** The rows on CORS. */
export function corsProbes({ route }: Target): readonly Probe[] {
  const { method, path } = route ?? { method: "GET", path: DIRECTORY_PATH }
  const what = `${method} ${path}`
  const asked = {
    "access-control-request-method": method,
    "access-control-request-headers": "content-type, sealwire",
  }
  return [
    closedTo("cors-foreign", FOREIGN, what, { method, path, headers: {} }),
    closedTo("cors-null", "null", what, { method, path, headers: {} }),
    closedTo("cors-preflight", FOREIGN, `preflight for ${what}`, { method: "OPTIONS", path, headers: asked }),
  ]
}

/** A row that wants a sealed request to be refused for how it came. */
const refused = (
  name: string,
  sends: string,
  advice: string,
  route: CheckedRoute,
  change: (request: WireRequest) => WireRequest,
): Probe => ({
  name,
  sends: [sends],
  advice,
  run: (probing) => attempt(probing, route, (request) => probing.wire.send(change(request)), wantsRefusal),
})

const withHeader =
  (name: string, value: string) =>
  (request: WireRequest): WireRequest => ({ ...request, headers: { ...request.headers, [name]: value } })

const formMethod = ({ method }: CheckedRoute): string =>
  method === "GET" || method === "HEAD" ? "POST" : method

/** As a form would send it, which asks nobody first; inside still what it was, so that no handler acts on it. */
function asForm(request: WireRequest): WireRequest {
  const { path, headers, body } = request
  return {
    method: formMethod(request),
    path,
    headers: { "content-type": "text/plain" },
    body: body ?? headers["sealwire"] ?? "",
  }
}

function contentType(route: CheckedRoute): Probe {
  const probe = refused(
    "csrf-content-type",
    `${formMethod(route)} ${route.path}, an envelope for ${route.method} in a body of text/plain`,
    "let content-type reach the endpoint as it came: it takes application/jose alone, which no form can send",
    route,
    asForm,
  )
  return {
    ...probe,
    run: (probing) =>
      probing.notes.takesUnsealed
        ? Promise.resolve(notTested("unsealed-request failed: a handler would get this", "see to that first"))
        : probe.run(probing),
  }
}

/** The rows on CSRF. */
export function csrfProbes({ route }: Target): readonly Probe[] {
  const named = route ?? { method: "GET", path: "PATH" }
  const sends = `sealed ${named.method} ${named.path}`
  const strip =
    "let Origin and Sec-Fetch-Site reach the endpoint, which refuses what is not listed in origins"
  const probes = [
    refused("csrf-origin", `${sends}, origin: ${FOREIGN}`, strip, named, withHeader("origin", FOREIGN)),
    refused(
      "csrf-fetch-site",
      `${sends}, sec-fetch-site: cross-site`,
      strip,
      named,
      withHeader("sec-fetch-site", "cross-site"),
    ),
    contentType(named),
  ]
  return route ? probes : withoutRoute(probes)
}
