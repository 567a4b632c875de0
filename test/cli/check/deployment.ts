/** Deployments over TLS on the loopback interface: one that is as it should be, and copies of it that lack something. */

import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:https"
import type { SecureContextOptions } from "node:tls"

import { createListener, tlsOptions } from "../../../src/adapters/node.ts"
import { carryOut, planOf, type Row } from "../../../src/cli/check/plan.ts"
import type { Verdict } from "../../../src/cli/check/probe.ts"
import { readTarget, type Target, type TargetOptions } from "../../../src/cli/check/target.ts"
import { openWire, type Wire } from "../../../src/cli/check/wire.ts"
import { generateSigningKeyPair } from "../../../src/keys.ts"
import type { EndpointOptions } from "../../../src/server.ts"
import { listen, type Running, selfSigned } from "../../adapters/kinds.ts"
import { endpointWith } from "../../support/sealed-http.ts"

/** Requests a minute that the route allows: more than the other rows need. */
export const LIMIT = 16

/** What a copy does not have, or has instead. */
export interface Broken {
  readonly tls?: SecureContextOptions
  readonly endpoint?: Partial<EndpointOptions>
  /** Of the directory. */
  readonly seq?: () => number
  /** Stands in front of the endpoint, as a careless proxy does. */
  readonly front?: (req: IncomingMessage, res: ServerResponse) => void
}

export interface Deployment extends Running {
  readonly ca: string
  /** What clients pin. */
  readonly pin: string
}

/** One certificate for all: making it takes a while. */
const certificate = selfSigned()

export async function deploy({ tls, endpoint, front, seq = () => 1 }: Broken = {}): Promise<Deployment> {
  const { signingKey: identity } = await generateSigningKeyPair()
  const server = createServer({ ...tlsOptions(), ...certificate, ...tls })
  const running = await listen(server, certificate.cert)
  const sealed = await endpointWith({
    origin: running.url,
    directory: { identity, seq },
    routes: { "/account": "medium", "/status": "low" },
    limits: { bySource: { medium: LIMIT, low: LIMIT } },
    ...endpoint,
  })
  const listener = createListener(sealed, () => Response.json({ balance: "120.00" }))
  server.on("request", (req, res) => {
    front?.(req, res)
    if (!res.writableEnded) listener(req, res)
  })
  return { ...running, ca: certificate.cert, pin: identity.kid }
}

/** What is checked of it. */
export const targetOf = ({ url, ca, pin }: Deployment, options: TargetOptions = {}): Target => ({
  ...readTarget(url, { pin, route: "/account", limit: LIMIT, ...options }),
  ca,
})

/** The rows of a check, over a wire of one's own where one is given. */
export async function rowsOf(target: Target, wire: Wire = openWire(target)): Promise<readonly Row[]> {
  return (await carryOut(planOf(target), wire)).rows
}

/** The names of the rows that ended so. */
export const named = (rows: readonly Row[], verdict: Verdict): string[] =>
  rows.filter((row) => row.verdict === verdict).map(({ name }) => name)

/** Takes headers off a request, or gives them other values. */
export function rewriteHeaders(
  req: IncomingMessage,
  valueOf: (name: string, value: string) => string | undefined,
): void {
  const pairs = req.rawHeaders.flatMap((name, at, all) => {
    if (at % 2 === 1) return []
    const value = valueOf(name.toLowerCase(), all[at + 1] ?? "")
    return value === undefined ? [] : [name, value]
  })
  req.rawHeaders.splice(0, Infinity, ...pairs)
}
